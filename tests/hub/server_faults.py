"""What goes wrong on the Hub for tests, by order of a test; and its log of requests."""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field
from typing import Any, Literal

Kind = Literal["fail", "cut", "lose", "delay"]


@dataclass
class Request:
    """A request that came in.

    host: "hub", or "storage", the other origin that keeps large files
    path: decoded, without the query
    received: bytes of the body that arrived; sent: bytes of the body that left
    status: of the answer; 0 while there is none, and where the connection was cut before it
    authorized: whether it carried a token
    """

    host: str
    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)
    segments: list[str] = field(default_factory=list, repr=False)
    received: int = 0
    sent: int = 0
    status: int = 0

    @property
    def authorized(self) -> bool:
        return "authorization" in self.headers

    @property
    def range(self) -> str:
        """The bytes asked for, as in `bytes=100-`; empty where all were."""
        return self.headers.get("range", "")

    @property
    def brief(self) -> str:
        """Method, path and status in one line."""
        return f"{self.method} {self.path} {self.status}"


@dataclass
class Fault:
    """Something that happens to the next `times` requests that it fits; always where times is None."""

    kind: Kind
    method: str
    pattern: str
    times: int | None
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    after_bytes: int = 0
    reset: bool = False
    seconds: float = 0.0

    def fits(self, request: Request) -> bool:
        return self.method in ("*", request.method) and re.search(self.pattern, request.path) is not None


class Faults:
    """The faults that are due, in the order they were asked for."""

    def __init__(self) -> None:
        self._due: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        re.compile(fault.pattern)
        with self._lock:
            self._due.append(fault)

    def clear(self) -> None:
        with self._lock:
            self._due.clear()

    def take(self, kind: Kind, request: Request) -> Fault | None:
        """The first fault of a kind that fits a request, used up once more."""
        with self._lock:
            for fault in self._due:
                if fault.kind != kind or not fault.fits(request):
                    continue
                if fault.times is not None:
                    fault.times -= 1
                    if fault.times <= 0:
                        self._due.remove(fault)
                return fault
        return None
