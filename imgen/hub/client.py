"""The one module that speaks with a Hub, through `huggingface_hub`; whatever goes wrong there is a `HubError`.

Which Hub, where its cache is and whose token is used are that library's own settings: `HF_ENDPOINT`, `HF_HOME`,
`HF_HUB_OFFLINE`, `HF_TOKEN`, `hf auth login`. A token is never read here, printed or kept.
"""

from __future__ import annotations

import hashlib
import io
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from imgen import files
from imgen.errors import HubError
from imgen.hub.reference import Reference
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
    hub = _library()
    branch = reference.revision or "main"
    try:
        with _told(reference):
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
    hub = _library()
    (told,) = (file for file in where.files if file.path == path)
    known = hub.try_to_load_from_cache(where.repo, path, revision=where.commit)
    if isinstance(known, str):
        return Path(known)
    with _told(Reference(where.repo, where.branch), path):
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
    hub = _library()
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
    with _told(Reference(repo)):
        _library().HfApi().create_repo(repo, private=private or None, exist_ok=True)


def branch(where: State, name: str) -> None:
    """Make a branch from a repository's state."""
    with _told(Reference(where.repo, name)):
        _library().HfApi().create_branch(where.repo, branch=name, revision=where.commit, exist_ok=True)


def commit(
    where: State, message: str, added: Mapping[str, Path | bytes], deleted: Sequence[str], revision: str | None
) -> str:
    """Change a repository in one commit, on top of the state that was looked at, or not at all; gives the commit.

    Raises: `HubError` where it was changed meanwhile, or cannot be written.
    """
    hub = _library()
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

    with _told(Reference(where.repo, revision)):
        return _by_either_way(send, operations)


def reach() -> str:
    """Which Hub answers, and to whom, for `imgen doctor`.

    Raises: `HubError` where it does not.
    """
    hub = _library()
    if offline():
        return f"{endpoint()}: not asked, HF_HUB_OFFLINE is set"
    if hub.get_token() is None:
        _get(f"{endpoint()}/api/models?limit=1")
        return f"{endpoint()}: reached, not logged in; pushing needs `hf auth login` or HF_TOKEN"
    with _told(None):
        name = hub.HfApi().whoami().get("name", "?")
    return f"{endpoint()}: reached, logged in as {plain(str(name))}"


def endpoint() -> str:
    """The address of the Hub."""
    return str(_constants().ENDPOINT)


def offline() -> bool:
    """Whether the user wants no Hub to be asked."""
    return bool(_constants().HF_HUB_OFFLINE)


def cache() -> Path:
    """The folder of the standard cache."""
    return Path(_constants().HF_HUB_CACHE)


class NotThere(HubError):
    """There is no such repository, or whoever asks may not see it."""


class NoRevision(HubError):
    """The repository has no such branch, tag or commit."""


class Unreachable(HubError):
    """The Hub cannot be asked now; what is in the cache may do."""

    def __init__(self, told: str) -> None:
        """told: as for `HubError`."""
        super().__init__(told, again=True)


def _file(entry: Any) -> File:
    large = getattr(entry, "lfs", None)
    digest = large["sha256"] if isinstance(large, dict) else getattr(large, "sha256", None)
    return File(str(entry.path), int(entry.size), str(digest or entry.blob_id))


def _by_either_way(send: Callable[[], str], operations: Sequence[Any]) -> str:
    """Where a Hub does not know the newer way of storing large files, they go the older one."""
    from huggingface_hub.utils import HfHubHTTPError

    constants = _constants()
    try:
        return send()
    except Exception as error:
        unknown = not constants.HF_HUB_DISABLE_XET and "xet" in _chain_text(error) and not _is_refusal(error)
        if not unknown or (isinstance(error, HfHubHTTPError) and (_status(error) or 0) >= 500):
            raise
    was, constants.HF_HUB_DISABLE_XET = constants.HF_HUB_DISABLE_XET, True
    try:
        return send()
    finally:
        constants.HF_HUB_DISABLE_XET = was


def _is_refusal(error: BaseException) -> bool:
    return _status(error) in (401, 403, 409, 412, 413, 429)


def _get(url: str) -> None:
    """Ask for an address, to see whether it answers; any answer of a server will do."""
    import urllib.error
    import urllib.request

    try:
        urllib.request.urlopen(url, timeout=_PATIENCE).close()
    except urllib.error.HTTPError:
        return
    except (OSError, ValueError) as error:
        raise Unreachable(f"{url.partition('/api')[0]}: cannot be reached: {_first_line(error)}") from None


@contextmanager
def _told(reference: Reference | None, path: str = "") -> Iterator[None]:
    """Turn whatever the library raises into one line: where, what is wrong, what would be right."""
    try:
        yield
    except (HubError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise _translated(error, reference, path) from error


def _translated(error: Exception, reference: Reference | None, path: str) -> HubError:
    from huggingface_hub import errors

    where = f"{reference}: {path}" if path else str(reference or endpoint())
    known = [cause for cause in _chain(error) if isinstance(cause, errors.HfHubHTTPError)]
    if any(isinstance(cause, errors.LocalEntryNotFoundError) for cause in _chain(error)) and not known:
        return Unreachable(f"{where}: not in the cache, and {_silence()}")
    if any(isinstance(cause, errors.OfflineModeIsEnabled) for cause in _chain(error)):
        return Unreachable(f"{where}: not asked for, as HF_HUB_OFFLINE is set; unset it, or use what is in the cache")
    if any(isinstance(cause, errors.GatedRepoError) for cause in known):
        return HubError(f"{where}: its owner grants access on its page, {endpoint()}; ask there, then log in here")
    if any(isinstance(cause, errors.RevisionNotFoundError) for cause in known):
        return NoRevision(f"{where}: this repository has no such revision; give a branch, a tag or a commit of it")
    if any(isinstance(cause, errors.EntryNotFoundError) for cause in _chain(error)):
        return HubError(f"{where}: the repository has no such file; is it a model of imgen?")
    status = next((found for found in map(_status, _chain(error)) if found), None)
    if status:
        return _of_status(status, where, reference, _said(known))
    if any(isinstance(cause, (OSError, TimeoutError)) or _of_the_network(cause) for cause in _chain(error)):
        full = next((cause for cause in _chain(error) if getattr(cause, "errno", None) in (28, 122)), None)
        if full:
            return HubError(f"{where}: the disk of the cache {cache()} is full; free some space", again=True)
        # What has a name went wrong here, and no connection has one.
        here = next((cause for cause in _chain(error) if getattr(cause, "filename", None)), None)
        if isinstance(here, OSError):
            hint = "; HF_HOME says where the cache is" if Path(str(here.filename)).is_relative_to(cache()) else ""
            told = f"{plain(str(here.filename))}: {here.strerror or _first_line(here)}"
            return HubError(f"{where}: {told}{hint}", again=True)
        silent = any(
            isinstance(cause, (ConnectionError, TimeoutError)) or _of_the_network(cause) for cause in _chain(error)
        )
        reason = _first_line(_root(error))
        return Unreachable(f"{where}: {_silence()} ({reason})" if silent else f"{where}: {reason}; do it again")
    return HubError(f"{where}: {type(error).__name__}: {_first_line(error)}", again=True)


def _of_status(status: int, where: str, reference: Reference | None, said: str) -> HubError:
    log_in = "log in with `hf auth login`, or set HF_TOKEN"
    repo = reference.repo if reference else "it"
    match status:
        case 401:
            if reference and _library().get_token() is None:
                return NotThere(f"{where}: there is no such repository, or it is private: {log_in}{said}")
            return HubError(f"{where}: the Hub does not accept this token (401): {log_in} with a valid one{said}")
        case 403:
            return HubError(
                f"{where}: this token may not do that (403): take one that may write to {repo}, or another name{said}"
            )
        case 404:
            return NotThere(f"{where}: there is no such repository at {endpoint()}, or you may not see it{said}")
        case 409 | 412:
            return HubError(
                f"{where}: it was changed by somebody else at the same moment ({status}); nothing was written, push "
                f"again{said}",
                again=True,
            )
        case 413:
            return HubError(f"{where}: too large for the Hub (413){said}")
        case 429:
            return Unreachable(f"{where}: too many requests (429); wait some minutes and do it again{said}")
        case _ if status >= 500:
            return Unreachable(f"{where}: the Hub is not well ({status}); do it again later{said}")
        case _:
            return HubError(f"{where}: the Hub refuses ({status}){said or '; is the name right?'}")


def _silence() -> str:
    return f"the Hub at {endpoint()} does not answer; look at the connection and HF_ENDPOINT"


def _said(known: Sequence[Any]) -> str:
    """What the Hub itself says, in one plain line."""
    told = next((str(cause.server_message) for cause in known if getattr(cause, "server_message", None)), "")
    return f": {plain(told)}" if told else ""


def _status(error: BaseException) -> int | None:
    found = getattr(getattr(error, "response", None), "status_code", None)
    return found if isinstance(found, int) and found >= 400 else None


def _of_the_network(error: BaseException) -> bool:
    return type(error).__module__.partition(".")[0] in ("httpx", "httpx2", "httpcore", "httpcore2", "ssl", "socket")


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__  # type: ignore[assignment]


def _root(error: BaseException) -> BaseException:
    return list(_chain(error))[-1]


def _chain_text(error: BaseException) -> str:
    return " ".join(f"{type(cause).__name__} {cause}" for cause in _chain(error)).lower()


def _first_line(error: BaseException) -> str:
    lines = str(error).strip().splitlines()
    return plain(lines[0]) if lines else type(error).__name__


def _constants() -> Any:
    from huggingface_hub import constants

    return constants


def _library() -> Any:
    """The library, without its bars where nobody watches and without its own words on standard error."""
    import huggingface_hub
    from huggingface_hub.utils import disable_progress_bars, logging

    logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
    return huggingface_hub
