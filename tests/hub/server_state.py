"""What the Hub for tests keeps: repositories with their commits, branches, tags and large objects."""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

# A new repository on the Hub holds this file already.
ATTRIBUTES = ".gitattributes"
LARGE_ENDINGS = (".safetensors", ".bin", ".ckpt", ".gz", ".npz", ".onnx", ".pt", ".pth", ".tar", ".zip")
PICTURES = (".png", ".gif", ".jpg", ".webp", ".mp4")
LARGE_BYTES = 10 * 1024 * 1024
_START = datetime(2026, 1, 1, tzinfo=UTC)


class Refusal(Exception):
    """An answer other than success, in the Hub's form. code: its X-Error-Code, where it has one."""

    def __init__(self, status: int, message: str, code: str = "", **told: Any) -> None:
        super().__init__(message)
        self.status, self.message, self.code, self.told = status, message, code, told


@dataclass
class Planted:
    """A file of a repository, and what the listing and the headers say of it where that is not the truth.

    size: in bytes, in the listing and in HEAD; the download itself has the size of `content`
    etag: in HEAD; a sha256 for a large file, a git blob's sha1 otherwise
    large: kept as LFS, so that downloads are redirected to the storage
    kind: the entry's type in the listing: file, directory, symlink ...
    """

    content: bytes
    size: int | None = None
    etag: str | None = None
    large: bool = False
    kind: str = "file"

    @cached_property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @cached_property
    def pointer(self) -> bytes:
        return b"version https://git-lfs.github.com/spec/v1\noid sha256:%s\nsize %d\n" % (
            self.sha256.encode(),
            len(self.content),
        )

    @cached_property
    def blob(self) -> str:
        """The sha1 of the git blob: of the pointer where the content is kept as LFS."""
        return git_blob(self.pointer if self.large else self.content)

    @property
    def told_size(self) -> int:
        return len(self.content) if self.size is None else self.size

    @property
    def told_etag(self) -> str:
        return self.etag or (self.sha256 if self.large else self.blob)

    @property
    def key(self) -> str:
        """What git compares: two files of the same key are the same."""
        return f"{self.kind}:{self.blob}:{self.told_size}:{self.told_etag}"


def git_blob(content: bytes) -> str:
    """The sha1 that git gives a file of this content."""
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def is_large(path: str, size: int, sample: bytes = b"") -> bool:
    """Whether the Hub takes a file as LFS: known endings, more than 10 MB, or binary by its first bytes."""
    return path.endswith(LARGE_ENDINGS + PICTURES) or size > LARGE_BYTES or b"\0" in sample


@dataclass(frozen=True)
class Commit:
    """A commit. tree: path to file; changed: the paths that it added, replaced or removed, sorted."""

    oid: str
    parent: str | None
    title: str
    description: str
    author: str
    date: datetime
    tree: Mapping[str, Planted]
    changed: tuple[str, ...]

    @property
    def when(self) -> str:
        return self.date.strftime("%Y-%m-%dT%H:%M:%S.000Z")


@dataclass
class Repository:
    """A model repository as the Hub keeps it. downloads: GETs of its config.json, which the Hub counts."""

    name: str
    private: bool = False
    gated: bool = False
    downloads: int = 0
    branches: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)
    objects: dict[str, bytes] = field(default_factory=dict)
    # Raw entries that the listing tells besides the true ones, and whether each is a file of it.
    extra_entries: list[dict[str, Any]] = field(default_factory=list)
    _commits: dict[str, Commit] = field(default_factory=dict)
    _count: Iterator[int] = field(default_factory=itertools.count)

    def __post_init__(self) -> None:
        attributes = "".join(f"*{ending} filter=lfs diff=lfs merge=lfs -text\n" for ending in LARGE_ENDINGS)
        self.commit("main", {ATTRIBUTES: Planted(attributes.encode())}, title="initial commit")

    @property
    def owner(self) -> str:
        return self.name.split("/")[0]

    @property
    def commits(self) -> list[Commit]:
        """The commits of main, newest first; the last is the Hub's own, with .gitattributes alone."""
        return list(self.history("main"))

    def files(self, rev: str = "main") -> dict[str, bytes]:
        """Every file of a revision with its bytes; without .gitattributes, which is the Hub's own."""
        return {path: each.content for path, each in self.at(rev).tree.items() if path != ATTRIBUTES}

    def at(self, rev: str) -> Commit:
        """The commit of a branch, a tag or an oid, which may be shortened to seven figures."""
        rev = re.sub("^refs/(heads|tags)/", "", rev)
        oid = self.branches.get(rev) or self.tags.get(rev) or rev
        if len(oid) >= 7:
            for each in self._commits.values():
                if each.oid.startswith(oid):
                    return each
        raise Refusal(404, f"Invalid rev id: {rev}", "RevisionNotFound")

    def history(self, rev: str) -> Iterator[Commit]:
        """The commits of a revision, newest first."""
        commit: Commit | None = self.at(rev)
        while commit is not None:
            yield commit
            commit = self._commits[commit.parent] if commit.parent else None

    def last_change(self, rev: str, path: str) -> Commit:
        """The commit that last touched a path or something beneath it."""
        beneath = path.rstrip("/") + "/"
        for commit in self.history(rev):
            if any(each == path or each.startswith(beneath) for each in commit.changed):
                return commit
        return self.at(rev)

    def commit(
        self,
        branch: str,
        tree: Mapping[str, Planted],
        *,
        title: str,
        description: str = "",
        author: str = "",
        parent: str | None = None,
    ) -> Commit:
        """The commit that makes a branch hold this tree; the commit it is at where nothing differs."""
        before = self._commits[self.branches[branch]] if branch in self.branches else None
        if parent is not None and before is not None and before.oid != self.at(parent).oid:
            raise Refusal(412, "A commit has happened since. Please refresh and try again.")
        old = before.tree if before else {}
        changed = sorted(
            path
            for path in old.keys() | tree.keys()
            if path not in old or path not in tree or old[path].key != tree[path].key
        )
        if before is not None and not changed:
            return before
        number = next(self._count)
        words = f"{self.name} {number} {before.oid if before else ''} {title}"
        made = Commit(
            oid=hashlib.sha1(words.encode(), usedforsecurity=False).hexdigest(),
            parent=before.oid if before else None,
            title=title,
            description=description,
            author=author or self.owner,
            date=_START + timedelta(seconds=number),
            tree=dict(tree),
            changed=tuple(changed),
        )
        self._commits[made.oid] = made
        self.branches[branch] = made.oid
        for each in tree.values():
            if each.large:
                self.objects.setdefault(each.sha256, each.content)
        return made

    def start_branch(self, branch: str, rev: str) -> None:
        """A new branch at a revision."""
        if branch in self.branches:
            raise Refusal(409, f"Reference already exists: {branch}")
        self.branches[branch] = self.at(rev).oid

    def start_tag(self, tag: str, rev: str) -> None:
        """A new tag at a revision."""
        if tag in self.tags:
            raise Refusal(409, f"Tag reference exists already: {tag}")
        self.tags[tag] = self.at(rev).oid


def with_attributes(tree: dict[str, Planted]) -> dict[str, Planted]:
    """The tree with each large file named in .gitattributes, which the Hub adds where no line names its ending."""
    attributes = tree.get(ATTRIBUTES, Planted(b"")).content.decode()
    named = {line.split()[0] for line in attributes.splitlines() if line.strip()}
    for path, each in sorted(tree.items()):
        if each.large and path not in named and not any(path.endswith(rule[1:]) for rule in named if rule[0] == "*"):
            attributes += f"{path} filter=lfs diff=lfs merge=lfs -text\n"
    return tree | {ATTRIBUTES: replace(tree.get(ATTRIBUTES, Planted(b"")), content=attributes.encode())}
