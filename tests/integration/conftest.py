"""A real ComfyUI server as a subprocess, in its own folders, and a small client for its API.

``COMFYUI_PATH`` names the checkout, ``COMFYUI_PYTHON`` an interpreter with its dependencies. Without the former these tests are
skipped, since ComfyUI is on no package index.
"""

from __future__ import annotations

import base64
import json
import os
import re
import secrets
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any
from urllib.parse import urlsplit

import pytest

ROOT = Path(__file__).parents[2]
PACK = "inbetween"
START = 180.0
"""Seconds that the server may take to start."""


PREVIEW = struct.pack(">II", 1, 1)
"""The head of a preview as JPEG, for a client that did not ask for its metadata."""


@dataclass(frozen=True)
class Event:
    """One server message: type, data and arrival time in seconds."""

    type: str
    data: dict[str, Any]
    at: float


class Events:
    """The server's WebSocket, read in a thread: just enough of RFC 6455 for messages from server to client."""

    def __init__(self, port: int, client: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        request = (
            f"GET /ws?clientId={client} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        )
        self.socket.sendall(f"{request}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())
        self.stream = self.socket.makefile("rb")
        assert b"101" in self.stream.readline()
        while self.stream.readline().strip():
            pass
        self.queue: Queue[Event] = Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while head := self.stream.read(2):
            size = head[1] & 0x7F
            if size >= 126:
                size = int.from_bytes(self.stream.read(2 if size == 126 else 8), "big")
            payload = self.stream.read(size)
            if head[0] == 0x81:  # one whole text message
                message = json.loads(payload)
                self.queue.put(Event(message["type"], message["data"], time.monotonic()))
            elif head[0] == 0x82 and payload[:8] == PREVIEW:
                self.queue.put(Event("preview", {"jpeg": payload[8:]}, time.monotonic()))

    def until(self, stop: Callable[[Event], bool], timeout: float = 120.0) -> list[Event]:
        """All events up to and including the first for which ``stop`` is true."""
        seen: list[Event] = []
        end = time.monotonic() + timeout
        while not (seen and stop(seen[-1])):
            try:
                seen.append(self.queue.get(timeout=max(end - time.monotonic(), 0.001)))
            except Empty:
                pytest.fail(f"no such event within {timeout} s; the last events were {seen[-5:]}")
        return seen

    def close(self) -> None:
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class ComfyUI:
    """The server with its folders and its log."""

    def __init__(self, base: Path, *more: str) -> None:
        """A server that is ready, with ``more`` options. Skips the test if there is no checkout."""
        checkout = os.environ.get("COMFYUI_PATH")
        if not checkout:
            pytest.skip("COMFYUI_PATH is not set: it names a ComfyUI checkout, and COMFYUI_PYTHON its interpreter")
        python = os.environ.get("COMFYUI_PYTHON", sys.executable)
        self.base, self.log = base, base / "comfyui.log"
        for folder in ("custom_nodes", "input", "output", "temp", "models/frame_interpolation"):
            (base / folder).mkdir(parents=True, exist_ok=True)
        for name, folder in ((PACK, ROOT), ("tiny", Path(__file__).parent / "tiny")):
            (base / "custom_nodes" / name).symlink_to(folder, target_is_directory=True)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        options = {
            "listen": "127.0.0.1",
            "port": self.port,
            "base-directory": base,
            "database-url": f"sqlite:///{base}/comfyui.db",
        }
        arguments = [str(word) for name, value in options.items() for word in (f"--{name}", value)]
        environment = {key: value for key, value in os.environ.items() if key not in ("COMFYUI_PATH", "PYTHONPATH")}
        environment |= {"INBETWEEN_MODELS": str(base / "cache"), "PYTHONUNBUFFERED": "1"}
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [python, "main.py", "--cpu", "--disable-api-nodes", *arguments, *more],
                cwd=checkout, env=environment, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        end = time.monotonic() + START
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > end:
                self.stop()
                pytest.fail(f"ComfyUI did not start:\n{self.text()[-4000:]}")
            time.sleep(0.3)

    def _answers(self) -> bool:
        try:
            self.get("/system_stats")
        except urllib.error.URLError:
            return False
        return True

    def text(self) -> str:
        """The log so far."""
        return self.log.read_text(encoding="utf-8", errors="replace")

    def complaints(self, after: int = 0) -> list[str]:
        """Python warnings, and log entries above INFO that mention the pack, including tracebacks.

        ``after``: the number of characters to skip at the start of the log.
        """
        entries = re.split(r"\n(?=\S*\[(?:INFO|WARNING|ERROR|CRITICAL|DEBUG)\]|\S+:\d+: \w*Warning:)", self.text()[after:])
        spoken = re.compile(r"[Ii]nbetween|vfi|[a-z]Warning:")
        return [entry for entry in entries if "[INFO]" not in entry[:20] and spoken.search(entry)]

    def fetch(self, path: str) -> bytes:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=30) as answer:
            return answer.read()

    def get(self, path: str) -> Any:
        return json.loads(self.fetch(path))

    def post(self, path: str, **body: Any) -> Any:
        return self.store(path, body)

    def store(self, path: str, body: Any) -> Any:
        """Send any JSON value."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                text = answer.read()
        except urllib.error.HTTPError as error:
            text = error.read()
        return json.loads(text) if text else None

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass
class Session:
    """One client of the server; ``began`` is the length of the log when it connected."""

    server: ComfyUI
    events: Events
    client: str
    began: int

    def complaints(self) -> list[str]:
        """The server's complaints since this client connected."""
        return self.server.complaints(self.began)

    def queue(self, workflow: dict[str, Any], **settings: Any) -> str:
        """Queue a workflow, with the browser's settings for its run, and return its id."""
        answer = self.server.post("/prompt", prompt=workflow, client_id=self.client, extra_data=settings)
        assert "prompt_id" in answer, answer
        return answer["prompt_id"]

    def ended(self, prompt: str, timeout: float = 300.0) -> list[Event]:
        """The events until the workflow ``prompt`` succeeds, fails or is interrupted."""
        ends = {"execution_success", "execution_error", "execution_interrupted"}
        return self.events.until(lambda event: event.type in ends and event.data["prompt_id"] == prompt, timeout)

    def run(self, workflow: dict[str, Any]) -> tuple[dict[str, Any], list[Event]]:
        """Run a workflow that must succeed; return its outputs, keyed by node, and the events."""
        prompt = self.queue(workflow)
        events = self.ended(prompt)
        assert events[-1].type == "execution_success", events[-1].data
        end = time.monotonic() + 10
        while not (history := self.server.get(f"/history/{prompt}")) and time.monotonic() < end:
            time.sleep(0.05)  # written shortly after the last event
        return history[prompt]["outputs"], events


@pytest.fixture(scope="session")
def comfyui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    base = tmp_path_factory.mktemp("comfyui")
    server = ComfyUI(base)
    for path in (ROOT / "examples").iterdir():
        if path.suffix in (".mp4", ".png"):
            shutil.copy(path, base / "input")
    yield server
    server.stop()


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """A browser for the tests of one file: Playwright holds the thread's event loop while it is open."""
    sync_api = pytest.importorskip("playwright.sync_api")
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    # a page that is not from the server itself may not talk to it otherwise
    arguments = ["--no-sandbox", "--disable-gpu", "--disable-features=LocalNetworkAccessChecks"]
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=arguments)
        yield browser
        browser.close()


@pytest.fixture
def session(comfyui: ComfyUI) -> Iterator[Session]:
    client = secrets.token_hex(8)
    events = Events(comfyui.port, client)
    yield Session(comfyui, events, client, len(comfyui.text()))
    events.close()


@pytest.fixture(scope="module", params=[None, "1.58.1"], ids=lambda version: version or "own")
def page(comfyui: ComfyUI, chromium: Any, request: pytest.FixtureRequest) -> Iterator[Any]:
    """The page of the server's own front end, or of another version of it on the same server."""
    page = chromium.new_page(viewport={"width": 1500, "height": 1000})
    page.set_default_timeout(60_000)
    if request.param is not None:
        serve(page, request.param)
    server = f"http://127.0.0.1:{comfyui.port}"
    page.request.post(f"{server}/settings", data={"Comfy.TutorialCompleted": True})  # no dialog lies over the graph
    page.goto(server, wait_until="commit", timeout=120_000)
    page.wait_for_function("window.app && window.app.graph", timeout=120_000)
    page.wait_for_function("!!LiteGraph.registered_node_types.InbetweenInterpolate", timeout=120_000)
    assert request.param in (None, page.evaluate("window.__COMFYUI_FRONTEND_VERSION__"))
    yield page
    page.close()


def serve(page: Any, version: str) -> None:
    """Answer for the server wherever this version of the front end has a file."""
    from tests.browser.conftest import bundle

    static = bundle(version)

    def file(url: str) -> Path:
        return static / (urlsplit(url).path.lstrip("/") or "index.html")

    page.route(lambda url: file(url).is_file(), lambda route: route.fulfill(path=file(route.request.url)))
