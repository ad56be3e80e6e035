"""A small server that plays the Hugging Face hub, a mirror of it and any other server, good and evil."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import torch
from safetensors.torch import save

REPO = "someone/models"
PATH = "nets/toy.safetensors"


class Hub(ThreadingHTTPServer):
    """As much of a hub as a download needs, and its troubles. ``content`` is the file `PATH`; others are in ``files``."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.content = save({"weight": torch.arange(100_000.0)})
        self.etag: str | None = None
        """What is sent as the hash of the file; None for the right one."""
        self.files: dict[str, bytes] = {}
        """Further files by their path on the server."""
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        """Status, headers and body of the answers to some paths, whatever was asked for."""
        self.breaks: list[int] = []
        """After how many bytes each of the next downloads breaks."""
        self.knows_ranges = True
        self.encoding: str | None = None
        """The Content-Encoding that is sent, whatever was asked for."""
        self.surplus = 0
        """How many bytes are sent beyond the file."""
        self.asked: list[tuple[str, str | None]] = []
        """Method and range of each request."""
        self.paths: list[str] = []
        self.tokens: list[str | None] = []
        """The path and the Authorization of each request."""
        self.stalls: dict[str, int] = {}
        """After how many bytes the answers to a method stall, until `awake` is set."""
        self.awake = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def file(self, path: str) -> bytes | None:
        """The file at a path of the server."""
        return self.content if path == f"/{REPO}/resolve/main/{PATH}" else self.files.get(path)


class Answer(BaseHTTPRequestHandler):
    server: Hub

    def do_HEAD(self) -> None:
        self.answer()

    def do_GET(self) -> None:
        self.answer()

    def answer(self) -> None:
        hub, wanted = self.server, self.headers["Range"]
        hub.asked.append((self.command, wanted))
        hub.paths.append(self.path)
        hub.tokens.append(self.headers["Authorization"])
        if self.path in hub.answers:
            self.exactly(*hub.answers[self.path])
            return
        whole = hub.file(self.path)
        if whole is None:
            self.exactly(404, {"X-Error-Code": "EntryNotFound"}, b"")
            return
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and hub.knows_ranges else 0
        if start and start >= len(whole):
            self.exactly(416, {"Content-Range": f"bytes */{len(whole)}"}, b"")
            return
        content = whole[start:]
        self.send_response(206 if wanted and hub.knows_ranges else 200)
        content += bytes(hub.surplus if self.command == "GET" else 0)
        if hub.encoding and self.command == "GET":
            self.send_header("Content-Encoding", hub.encoding)
            content = gzip.compress(content)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("ETag", '"0123"')
        self.send_header("X-Linked-Etag", hub.etag or f'"{hashlib.sha256(whole).hexdigest()}"')
        self.send_header("X-Linked-Size", str(len(whole)))
        self.send_header("X-Repo-Commit", "c" * 40)
        if hub.stalls.get(self.command) == 0:
            hub.awake.wait(60)
        self.end_headers()
        if self.command == "GET":
            sent = hub.breaks.pop(0) if hub.breaks else hub.stalls.get("GET", len(content))
            self.wfile.write(content[:sent])
            if sent < len(content) and "GET" in hub.stalls:
                hub.awake.wait(60)

    def exactly(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Quietly."""


@contextmanager
def running() -> Iterator[Hub]:
    """A `Hub` that answers until the end."""
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.awake.set()
            server.shutdown()
            thread.join()
