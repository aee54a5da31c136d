"""A model on the Hub as people type it: `user/name`, or `user/name@revision`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from imgen.errors import HubError

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,94}[A-Za-z0-9])?")
_REVISION = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,198}[A-Za-z0-9])?")


@dataclass(frozen=True)
class Reference:
    """A repository, and which state of it: a branch, a tag or a commit; None for its main branch."""

    repo: str
    revision: str | None = None

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Raises: `HubError` where it is none, with what one looks like."""
        repo, at, revision = text.removeprefix("hub:").partition("@")
        user, slash, name = repo.partition("/")
        plain = all(_NAME.fullmatch(part) and ".." not in part and "--" not in part for part in (user, name))
        if not slash or not plain:
            raise HubError(f"{text!r}: no name of a repository; one looks like user/name, or user/name@revision")
        if at and (not _REVISION.fullmatch(revision) or ".." in revision or "//" in revision):
            raise HubError(f"{text!r}: no name of a revision; give a branch, a tag or a commit, as in {repo}@main")
        return cls(repo, revision or None)

    def __str__(self) -> str:
        """As people type it."""
        return f"{self.repo}@{self.revision}" if self.revision else self.repo


def is_reference(text: str) -> bool:
    """Whether a text can be the name of a repository."""
    try:
        Reference.parse(text)
    except HubError:
        return False
    return True


def origin_of(path: Path) -> Reference | None:
    """Which repository a file or folder of the cache was fetched from; None where it is none of the cache's."""
    found = re.search(r"/models--([^/]+?)--([^/]+)/snapshots/([^/]+)", path.absolute().as_posix())
    return Reference(f"{found[1]}/{found[2]}", found[3]) if found else None
