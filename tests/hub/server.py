"""A Hub for tests: the part of the Hugging Face Hub's protocol that its own client speaks, on this machine.

`HubServer` listens on two ports of this machine, the Hub itself and the storage that it sends clients to for large
files, as the Hub does: another origin, which must never see a token. The two have different names, 127.0.0.1 and
localhost, since some clients tell origins apart by name alone. The fixtures of `conftest.py` start one.

    hub.endpoint, hub.storage          the two addresses
    hub.env                            the environment of a process that is to use it
    hub.repos["anna/faces"]            a Repository: .files(rev), .commits (newest first), .branches, .tags, .private
    hub.requests, hub.seen(...)        what was asked: method, path, status, bytes received and sent
    hub.fail / cut / lose / delay      what goes wrong next; paths are regular expressions, searched
    hub.plant(repo, {path: bytes})     files, honest or hostile, without a client
    hub.part_size                      from how many bytes on large files come in parts; 0 for never
    hub.page_size                      rows of a page of a listing

It has users `anna` (TOKEN, and READ_TOKEN which may not write) and `ben` (BEN_TOKEN). Xet is not spoken: clients are
told HF_HUB_DISABLE_XET=1, and send large files by git LFS. It can be started by itself: `python server.py`.
"""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from server_faults import Fault, Faults, Request
from server_routes import route
from server_state import Commit, Planted, Refusal, Repository, is_large
from server_wire import Answer, Listener

TOKEN = "hf_test_anna_writes"
READ_TOKEN = "hf_test_anna_reads"
BEN_TOKEN = "hf_test_ben_writes"

__all__ = ["BEN_TOKEN", "READ_TOKEN", "TOKEN", "Commit", "HubServer", "Planted", "Repository", "Request"]


class HubServer:
    """A Hub that runs from `start` to `stop`, or in a `with`. home: the folder of its clients' caches."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.tokens = {TOKEN: ("anna", True), READ_TOKEN: ("anna", False), BEN_TOKEN: ("ben", True)}
        self.repos: dict[str, Repository] = {}
        self.requests: list[Request] = []
        self.errors: list[str] = []
        self.faults = Faults()
        self.part_size = 0
        self.page_size = 1000
        self.parts: dict[tuple[str, int], bytes] = {}
        self._listeners = [Listener(self, "hub"), Listener(self, "storage")]
        self._threads: list[threading.Thread] = []
        self._lock = threading.RLock()

    def start(self) -> HubServer:
        for each in self._listeners:
            thread = threading.Thread(target=each.serve_forever, args=(0.01,), name=f"hub-{each.host}", daemon=True)
            thread.start()
            self._threads.append(thread)
        return self

    def stop(self) -> None:
        for each in self._listeners:
            if self._threads:
                each.shutdown()
            each.close_connections()
            each.server_close()
        self._threads.clear()

    def __enter__(self) -> HubServer:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        """The Hub's address, for HF_ENDPOINT."""
        return self._listeners[0].url

    @property
    def storage(self) -> str:
        """The address of the storage of large files."""
        return self._listeners[1].url

    @property
    def env(self) -> dict[str, str]:
        """What a process needs in its environment to use this Hub as anna, with a cache of its own."""
        return {
            "HF_ENDPOINT": self.endpoint,
            "HF_HOME": str(self.home),
            "HF_HUB_CACHE": str(self.home / "hub"),
            "HF_TOKEN": TOKEN,
            "HF_TOKEN_PATH": str(self.home / "token"),
            "HF_HUB_DISABLE_XET": "1",
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "HF_HUB_DISABLE_UPDATE_CHECK": "1",
            "HF_HUB_OFFLINE": "0",
            "NO_PROXY": "127.0.0.1,localhost",
            "no_proxy": "127.0.0.1,localhost",
        }

    def fail(
        self,
        method: str,
        path_pattern: str,
        status: int = 503,
        times: int | None = 1,
        headers: Mapping[str, str] | None = None,
        body: Any = None,
    ) -> None:
        """Answers the next requests with an error, or whatever is told.

        method: or "*" for any; times: None for every one from now on
        status: with 200, `headers` and `body` are an answer that lies
        """
        self.faults.add(Fault("fail", method, path_pattern, times, status, dict(headers or {}), body))

    def cut(
        self, path_pattern: str, after_bytes: int, times: int | None = 1, method: str = "*", *, reset: bool = False
    ) -> None:
        """Ends the connection in the middle of a body: of an upload as it arrives, of a download as it leaves.

        reset: the client reads "connection reset by peer" instead of an end that comes too early
        """
        self.faults.add(Fault("cut", method, path_pattern, times, after_bytes=after_bytes, reset=reset))

    def lose(self, method: str, path_pattern: str, times: int | None = 1) -> None:
        """Carries the next requests out, but their answers are lost on the way."""
        self.faults.add(Fault("lose", method, path_pattern, times))

    def delay(self, method: str, path_pattern: str, seconds: float, times: int | None = 1) -> None:
        """Lets the next requests wait."""
        self.faults.add(Fault("delay", method, path_pattern, times, seconds=seconds))

    def plant(
        self,
        repo: str,
        files: Mapping[str, bytes | Planted],
        *,
        tree_entries: Iterable[Mapping[str, Any]] = (),
        private: bool = False,
        rev: str = "main",
    ) -> Repository:
        """Puts files into a repository, which is made where there is none, whatever their names are.

        files: bytes, or `Planted` to lie about size, etag or kind; bytes become large by the Hub's own rules
        tree_entries: raw entries, told by every listing besides, as {"type": "file", "path": "../x", "size": 1,
            "oid": "0" * 40}
        """
        with self._lock:
            repository = self.repos.setdefault(repo, Repository(repo, private=private))
            if rev not in repository.branches:
                repository.start_branch(rev, "main")
            tree = dict(repository.at(rev).tree)
            for path, file in files.items():
                if isinstance(file, bytes):
                    file = Planted(file, large=is_large(path, len(file), file[:512]))
                tree[path] = file
            repository.extra_entries += [dict(each) for each in tree_entries]
            repository.commit(rev, tree, title="planted")
        return repository

    def seen(self, method: str = "*", path_pattern: str = "") -> list[Request]:
        """The requests so far of a method, with a path that a regular expression finds."""
        wanted = Fault("fail", method, path_pattern, None)
        return [each for each in self.requests if wanted.fits(each)]

    def forget(self) -> None:
        """Empties the log of requests."""
        self.requests.clear()

    def user(self, request: Request) -> str:
        """Whose token a request carries; empty where it has none."""
        if "authorization" not in request.headers:
            return ""
        return self._known(request)[0]

    def may_write(self, request: Request) -> bool:
        """Whether the token of a request may write."""
        return request.authorized and self._known(request)[1]

    def demand_write(self, request: Request, owner: str, words: str = "") -> None:
        """Refuses a request whose sender may not write to what is `owner`'s."""
        if not self.user(request):
            raise Refusal(401, "Invalid username or password.")
        if self.user(request) != owner or not self.may_write(request):
            raise Refusal(403, words or "Forbidden: pass `create_pr=1` as a query parameter to create a Pull Request")

    def _known(self, request: Request) -> tuple[str, bool]:
        token = request.headers["authorization"].removeprefix("Bearer ")
        if token not in self.tokens:
            raise Refusal(401, "Invalid credentials in Authorization header")
        return self.tokens[token]

    def storage_address(self, repository: Repository, file: Planted, path: str) -> str:
        """Where the storage gives a large file, signed as the Hub signs it."""
        name = path.rsplit("/", 1)[-1]
        disposition = f"attachment%3B%20filename%3D%22{name}%22"
        return (
            f"{self.storage}/{repository.name}/{file.sha256}?signature=get&response-content-disposition={disposition}"
        )

    def answer(self, request: Request) -> Answer:
        """The answer to a request; one at a time, so that a commit is whole or not there."""
        with self._lock:
            return route(self, request)

    def note_error(self) -> None:
        """Keeps what went wrong in a thread of the server, for the fixture to tell."""
        if not isinstance(sys.exception(), ConnectionError | TimeoutError):
            self.errors.append(traceback.format_exc())


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as home, HubServer(Path(home)) as running:
        print("\n".join(f"export {name}={value}" for name, value in running.env.items()), flush=True)
        threading.Event().wait()
