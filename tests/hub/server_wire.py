"""HTTP of the Hub for tests: requests read whole, answers sent, connections cut where a fault says so."""

from __future__ import annotations

import json
import socket
import struct
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from server_faults import Fault, Request
from server_state import Refusal

if TYPE_CHECKING:
    from server import HubServer


@dataclass
class Answer:
    """What is sent back. A body that is no bytes goes as JSON; Content-Length is that of the body unless given."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)


class Hangup(Exception):
    """The connection ends here, without an answer or in the middle of it."""


class Listener(ThreadingHTTPServer):
    """One origin of the Hub: itself, or the storage of large files."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(self, hub: HubServer, host: str) -> None:
        self.hub, self.host = hub, host
        self.open: set[socket.socket] = set()
        self.resets: set[socket.socket] = set()
        super().__init__(("127.0.0.1", 0), Wire)

    @property
    def url(self) -> str:
        name = "localhost" if self.host == "storage" else "127.0.0.1"
        return f"http://{name}:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that left is no error; anything else is told to the test."""
        self.hub.note_error()

    def shutdown_request(self, request: Any) -> None:
        """Closes a connection: politely, or so that the client reads a reset and no end before it."""
        if request in self.resets:
            self.resets.discard(request)
            request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_request(request)
        else:
            super().shutdown_request(request)

    def close_connections(self) -> None:
        """Ends every connection, which ends the threads that wait for a next request."""
        for each in list(self.open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


class Wire(BaseHTTPRequestHandler):
    """A connection to the Hub."""

    server: Listener
    protocol_version = "HTTP/1.1"
    # Headers and body may go in two packets: without this, the second waits for the client's acknowledgement.
    disable_nagle_algorithm = True
    wbufsize = -1
    timeout = 30

    def setup(self) -> None:
        super().setup()
        self.server.open.add(self.connection)

    def finish(self) -> None:
        self.server.open.discard(self.connection)
        try:
            super().finish()
        except OSError:
            return

    def log_message(self, format: str, *args: Any) -> None:
        return

    def serve(self) -> None:
        """Takes one request to its end."""
        target = urlsplit(self.path)
        request = Request(
            host=self.server.host,
            method=self.command,
            path=unquote(target.path),
            query=dict(parse_qsl(target.query, keep_blank_values=True)),
            headers={name.lower(): value for name, value in self.headers.items()},
            # Split first: a revision may hold an encoded slash.
            segments=[unquote(each) for each in target.path.split("/")[1:]],
        )
        hub = self.server.hub
        hub.requests.append(request)
        try:
            if late := hub.faults.take("delay", request):
                time.sleep(late.seconds)
            cut = hub.faults.take("cut", request)
            if cut and request.method in ("PUT", "POST"):
                self._read_body(request, most=cut.after_bytes)
                self._hang_up(cut)
            self._read_body(request)
            answer = self._answer(request)
            if lost := hub.faults.take("lose", request):
                self._hang_up(lost)
            self._send(request, answer, cut)
        except (Hangup, ConnectionError, TimeoutError):
            self.close_connection = True

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = serve

    def _answer(self, request: Request) -> Answer:
        hub = self.server.hub
        if fault := hub.faults.take("fail", request):
            return failed(fault)
        try:
            return hub.answer(request)
        except Refusal as refusal:
            headers = {"X-Error-Message": refusal.message}
            if refusal.code:
                headers["X-Error-Code"] = refusal.code
            return Answer({"error": refusal.message, **refusal.told}, refusal.status, headers)

    def _read_body(self, request: Request, most: int | None = None) -> None:
        """Reads the body, or its first bytes; the client hears nothing before it is read."""
        if "chunked" in request.headers.get("transfer-encoding", ""):
            request.body = self._read_chunks(most)
        else:
            length = int(request.headers.get("content-length") or 0)
            request.body = self.rfile.read(length if most is None else min(most, length))
            if most is None and len(request.body) < length:
                request.received = len(request.body)
                raise Hangup
        request.received = len(request.body)

    def _read_chunks(self, most: int | None) -> bytes:
        body = bytearray()
        while most is None or len(body) < most:
            size = int(self.rfile.readline().split(b";")[0] or b"0", 16)
            body += self.rfile.read(size)
            self.rfile.readline()
            if not size:
                break
        return bytes(body if most is None else body[:most])

    def _hang_up(self, fault: Fault) -> None:
        """Ends the connection; with `reset` at once, so that the client reads a reset and not an end."""
        if fault.reset:
            self.server.resets.add(self.connection)
        raise Hangup

    def _send(self, request: Request, answer: Answer, cut: Fault | None) -> None:
        body, headers = answer.body, dict(answer.headers)
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            headers.setdefault("Content-Type", "application/json; charset=utf-8")
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        request.status = answer.status
        if request.method == "HEAD":
            body = b""
        sent = body[: cut.after_bytes] if cut else body
        self.wfile.write(sent)
        self.wfile.flush()
        request.sent = len(sent)
        if cut:
            self._hang_up(cut)


def failed(fault: Fault) -> Answer:
    """The answer of a fault, in the Hub's form where the test gave none."""
    words = {
        401: "Invalid credentials in Authorization header",
        403: "Forbidden: you don't have the required permissions",
        404: "Repository not found",
        409: "Cannot do that now: another operation is in progress",
        429: "We had to rate limit you",
        503: "Service Unavailable",
    }
    message = words.get(fault.status, "Internal Error - We're working hard to fix this as soon as possible!")
    headers = {"X-Error-Message": message, "X-Request-Id": "Root=1-test"}
    if fault.status == 404:
        headers["X-Error-Code"] = "RepoNotFound"
    return Answer({"error": message} if fault.body is None else fault.body, fault.status, headers | fault.headers)
