"""What went wrong with a Hub, in one line: where, what is wrong, what would be right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from imgen.errors import HubError
from imgen.hub.reference import Reference
from imgen.hub.service import cache, endpoint, library
from imgen.plain import plain


class NotThere(HubError):
    """There is no such repository, or whoever asks may not see it."""


class NoRevision(HubError):
    """The repository has no such branch, tag or commit."""


class Unreachable(HubError):
    """The Hub cannot be asked now; what is in the cache may do."""

    def __init__(self, told: str) -> None:
        """told: as for `HubError`."""
        super().__init__(told, again=True)


@contextmanager
def telling(reference: Reference | None, path: str = "") -> Iterator[None]:
    """Turn whatever the library raises into one line: where, what is wrong, what would be right."""
    try:
        yield
    except (HubError, KeyboardInterrupt):
        raise
    except Exception as error:
        raise _translated(error, reference, path) from error


def _translated(error: Exception, reference: Reference | None, path: str) -> HubError:
    errors = library().errors

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
    status = next((found for found in map(status_of, _chain(error)) if found), None)
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
            told = f"{plain(str(here.filename))}: {here.strerror or first_line(here)}"
            return HubError(f"{where}: {told}{hint}", again=True)
        silent = any(
            isinstance(cause, (ConnectionError, TimeoutError)) or _of_the_network(cause) for cause in _chain(error)
        )
        reason = first_line(_root(error))
        return Unreachable(f"{where}: {_silence()} ({reason})" if silent else f"{where}: {reason}; do it again")
    return HubError(f"{where}: {type(error).__name__}: {first_line(error)}", again=True)


def _of_status(status: int, where: str, reference: Reference | None, said: str) -> HubError:
    log_in = "log in with `hf auth login`, or set HF_TOKEN"
    repo = reference.repo if reference else "it"
    match status:
        case 401:
            if reference and library().get_token() is None:
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


def status_of(error: BaseException) -> int | None:
    """The status that the Hub answered with, where an error comes from one."""
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


def chain_text(error: BaseException) -> str:
    """What an error and all that led to it say, in small letters."""
    return " ".join(f"{type(cause).__name__} {cause}" for cause in _chain(error)).lower()


def first_line(error: BaseException) -> str:
    """The first line of what an error says."""
    lines = str(error).strip().splitlines()
    return plain(lines[0]) if lines else type(error).__name__
