"""What is asked of a Hub: what a repository holds, a file of it, a commit; whatever goes wrong is a `HubError`."""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgen import files
from imgen.errors import HubError
from imgen.hub.reference import Reference
from imgen.hub.refusals import NotThere, Unreachable, chain_text, first_line, status_of, telling
from imgen.hub.service import cache, constants, endpoint, library, offline
from imgen.plain import plain

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SUM = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_PATIENCE = 5  # seconds that `reach` waits


@dataclass(frozen=True)
class File:
    """A file in a repository. sum: the sha256 of a large one, git's own sum of a small one."""

    path: str
    size: int
    sum: str


@dataclass(frozen=True)
class State:
    """A repository at a commit. branch: what was asked for; private: whether its owner alone sees it."""

    repo: str
    commit: str
    branch: str
    files: tuple[File, ...] = ()
    private: bool = False


def state(reference: Reference) -> State | None:
    """What a repository holds; None where there is no such repository, or it is hidden from whoever asks.

    Raises: `HubError` where it has no such revision, or the Hub cannot be asked.
    """
    hub = library()
    branch = reference.revision or "main"
    try:
        with telling(reference):
            info = hub.HfApi().model_info(reference.repo, revision=reference.revision)
            tree = hub.HfApi().list_repo_tree(reference.repo, revision=info.sha, recursive=True)
            files = tuple(_file(entry) for entry in tree if isinstance(entry, hub.hf_api.RepoFile))
    except NotThere:
        return None
    if not _COMMIT.fullmatch(info.sha or ""):
        raise HubError(f"{reference}: the Hub at {endpoint()} tells no commit; is it a Hub?")
    return State(reference.repo, info.sha, branch, files, bool(info.private))


def fetch(where: State, path: str) -> Path:
    """A file of a repository in the standard cache, with the sum that the repository's listing tells.

    A transfer that breaks off is gone on with, as far as the library does so.
    """
    hub = library()
    (told,) = (file for file in where.files if file.path == path)
    known = hub.try_to_load_from_cache(where.repo, path, revision=where.commit)
    if isinstance(known, str):
        return Path(known)
    with telling(Reference(where.repo, where.branch), path):
        # The library calls the file in its cache what the Hub answers, whatever that is.
        tag = hub.get_hf_file_metadata(hub.hf_hub_url(where.repo, path, revision=where.commit)).etag
        if tag != told.sum or not _SUM.fullmatch(tag):
            raise HubError(f"{where.repo}: {path}: the Hub tells no sum of it, or two; it was not fetched")
        file = Path(hub.hf_hub_download(where.repo, path, revision=where.commit))
    if not file.resolve().is_relative_to(cache().resolve()):
        raise HubError(f"{where.repo}: {path}: came to lie outside the cache {cache()}; do not use this Hub")
    if file.stat().st_size != told.size or told.sum not in sums(file):
        forget(file)
        raise HubError(f"{where.repo}: {path}: came otherwise than the repository tells; pull it again", again=True)
    return file


def forget(file: Path) -> None:
    """Take a file out of the cache: what is not to be trusted must not lie where another command would find it."""
    aim = file.resolve()
    file.unlink(missing_ok=True)
    if aim.is_relative_to(cache().resolve()):
        aim.unlink(missing_ok=True)


def sums(content: Path | bytes) -> tuple[str, str]:
    """The two sums of a file by which a Hub knows it: its sha256, and the one that git gives it."""
    size = len(content) if isinstance(content, bytes) else content.stat().st_size
    plainly, gits = hashlib.sha256(), hashlib.sha1(b"blob %d\0" % size, usedforsecurity=False)
    with io.BytesIO(content) if isinstance(content, bytes) else content.open("rb") as file:
        while piece := file.read(2**20):
            plainly.update(piece)
            gits.update(piece)
    return plainly.hexdigest(), gits.hexdigest()


def cached(reference: Reference) -> Path | None:
    """The folder of a repository's files in the cache, as it was last fetched; None where it was not."""
    hub = library()
    try:
        found = hub.try_to_load_from_cache(reference.repo, "model.safetensors", revision=reference.revision)
    except ValueError:
        return None
    return Path(found).parent if isinstance(found, str) else None


def remember(where: State) -> None:
    """Note which commit a branch was at, so that it is found again without the Hub."""
    if where.branch == where.commit:
        return
    ref = cache() / f"models--{where.repo.replace('/', '--')}" / "refs" / where.branch
    # What was fetched serves now all the same, such as in a cache that nobody may write to.
    with suppress(OSError):
        if not ref.is_file() or ref.read_text(encoding="utf8") != where.commit:
            files.write(ref, where.commit)


def create(repo: str, private: bool) -> None:
    """Make a repository, if there is none."""
    with telling(Reference(repo)):
        library().HfApi().create_repo(repo, private=private or None, exist_ok=True)


def branch(where: State, name: str) -> None:
    """Make a branch from a repository's state."""
    with telling(Reference(where.repo, name)):
        library().HfApi().create_branch(where.repo, branch=name, revision=where.commit, exist_ok=True)


def commit(
    where: State, message: str, added: Mapping[str, Path | bytes], deleted: Sequence[str], revision: str | None
) -> str:
    """Change a repository in one commit, on top of the state that was looked at, or not at all; gives the commit.

    Raises: `HubError` where it was changed meanwhile, or cannot be written.
    """
    hub = library()
    operations: list[Any] = [
        hub.CommitOperationAdd(path, content if isinstance(content, bytes) else str(content))
        for path, content in added.items()
    ]
    operations += [hub.CommitOperationDelete(path) for path in deleted]

    def send() -> str:
        made = hub.HfApi().create_commit(
            where.repo, operations, commit_message=message, revision=revision, parent_commit=where.commit or None
        )
        return str(made.oid)

    with telling(Reference(where.repo, revision)):
        return _by_either_way(send)


def reach() -> str:
    """Which Hub answers, and to whom, for `imgen doctor`.

    Raises: `HubError` where it does not.
    """
    hub = library()
    if offline():
        return f"{endpoint()}: not asked, HF_HUB_OFFLINE is set"
    if hub.get_token() is None:
        _get(f"{endpoint()}/api/models?limit=1")
        return f"{endpoint()}: reached, not logged in; pushing needs `hf auth login` or HF_TOKEN"
    with telling(None):
        name = hub.HfApi().whoami().get("name", "?")
    return f"{endpoint()}: reached, logged in as {plain(str(name))}"


def _file(entry: Any) -> File:
    large = getattr(entry, "lfs", None)
    digest = large["sha256"] if isinstance(large, dict) else getattr(large, "sha256", None)
    return File(str(entry.path), int(entry.size), str(digest or entry.blob_id))


def _by_either_way(send: Callable[[], str]) -> str:
    """Where a Hub does not know the newer way of storing large files, they go the older one."""
    read = constants()
    try:
        return send()
    except Exception as error:
        # A Hub without it answers that there is no such address, if anything.
        unknown = "xet" in chain_text(error) and status_of(error) in (None, 404)
        if read.HF_HUB_DISABLE_XET or not unknown:
            raise
    read.HF_HUB_DISABLE_XET = True
    try:
        return send()
    finally:
        read.HF_HUB_DISABLE_XET = False


def _get(url: str) -> None:
    """Ask for an address, to see whether it answers; any answer of a server will do."""
    import urllib.error
    import urllib.request

    try:
        urllib.request.urlopen(url, timeout=_PATIENCE).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        raise Unreachable(f"{url.partition('/api')[0]}: cannot be reached: {first_line(error)}") from None
