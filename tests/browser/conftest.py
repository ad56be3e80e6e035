"""ComfyUI's real front end in Debian's Chromium, on a server that gives only the answers it needs.

The bundles are downloaded from the package index once, then kept in ``$INBETWEEN_TEST_CACHE`` or
``~/.cache/inbetween-vfi-tests``. If Chromium, Playwright or a bundle is not available, the tests are skipped with the reason.
"""

from __future__ import annotations

import email
import email.policy
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from fractions import Fraction
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import MappingProxyType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import cv2
import numpy as np
import pytest
from filelock import FileLock

from tests.footage import film

ROOT = Path(__file__).parents[2]
JS = ROOT / "js"
OBJECT_INFO = Path(__file__).with_name("object_info.json")
CACHE = Path(os.environ.get("INBETWEEN_TEST_CACHE") or Path.home() / ".cache" / "inbetween-vfi-tests") / "front-ends"
PLAIN_START = {
    "Comfy.TutorialCompleted": True,
    "Comfy.Workflow.ShowMissingNodesWarning": False,
    "Comfy.Workflow.ShowMissingModelsWarning": False,
    "Comfy.UseNewMenu": "Top",
}
AT_REST: dict[str, Any] = {
    "/api/prompt": {"exec_info": {"queue_remaining": 0}},
    "/api/queue": {"queue_running": [], "queue_pending": []},
    "/api/history": {},
    "/api/i18n": {},
    "/api/userdata": [],
    "/api/system_stats": {"system": {"argv": []}, "devices": []},
}
STATUS = {"type": "status", "data": {"status": AT_REST["/api/prompt"], "sid": "a"}}
"""Status message of an idle server. Without it, and without its WebSocket, the front end polls every second."""

MODELS: dict[str, Any] = {"choices": [], "rows": []}
"""The server's answer to the Model Picker; a test sets it."""

MINUTE = 60_000

PASSED = "time => new Promise(done => setTimeout(() => requestAnimationFrame(() => requestAnimationFrame(done)), time))"


def bundle(version: str) -> Path:
    """The static files of a version of the front end."""
    folder = CACHE / version
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{version}.lock"):
        if not folder.exists():
            wanted = f"comfyui-frontend-package=={version}"
            pip = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(CACHE), wanted]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            wheels = list(CACHE.glob(f"comfyui_frontend_package-{version}-*.whl"))
            if not wheels:
                pytest.skip(f"the front end {version} cannot be downloaded: {done.stderr[-300:]}")
            half = CACHE / f"{version}.part"
            shutil.rmtree(half, ignore_errors=True)
            with zipfile.ZipFile(wheels[0]) as wheel:
                wheel.extractall(half)
            half.rename(folder)
            wheels[0].unlink()
    return folder / "comfyui_frontend_package" / "static"


class Mock(SimpleHTTPRequestHandler):
    """A stand-in for the ComfyUI server, with just the answers that the front end needs."""

    protocol_version = "HTTP/1.1"

    def __init__(self, *given: Any, settings: dict[str, Any], pictures: dict[str, bytes], **rest: Any) -> None:
        self.settings, self.pictures = settings, pictures
        super().__init__(*given, **rest)

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        own = JS / url.path.removeprefix("/extensions/inbetween/")
        answers = {
            "/api/users": {"storage": "server", "migrated": True},
            "/api/settings": self.settings,
            "/api/object_info": json.loads(OBJECT_INFO.read_text(encoding="utf-8")),
            "/api/extensions": [f"/extensions/inbetween/{file.relative_to(JS)}" for file in sorted(JS.rglob("*.js"))],
            "/api/inbetween/models": MODELS,
            **AT_REST,
        }
        if url.path in answers:
            self.answer(json.dumps(answers[url.path]).encode(), "application/json")
        elif url.path == "/api/view":
            name = parse_qs(url.query)["filename"][0]
            kind = self.guess_type(name)
            self.part(self.pictures[name], kind) if name in self.pictures else self.send_error(404)
        elif url.path.startswith("/extensions/inbetween/") and own.is_file():
            self.answer(own.read_bytes(), self.guess_type(str(own)))
        else:
            super().do_GET()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path.startswith("/api/settings/"):
            self.settings[self.path.rsplit("/", 1)[1]] = json.loads(body)
        if self.path == "/api/upload/image":
            self.answer(json.dumps(self.upload(body)).encode(), "application/json")
            return
        self.answer(b"{}", "application/json")

    def do_HEAD(self) -> None:
        """The tag of a picture, which follows from its bytes."""
        name = parse_qs(urlsplit(self.path).query).get("filename", [""])[0]
        if name not in self.pictures:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("ETag", f'"{zlib.crc32(self.pictures[name])}"')
        self.end_headers()

    def part(self, body: bytes, kind: str) -> None:
        """Answer with the range that was asked for, which a browser needs to seek in a video."""
        wanted = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if not wanted:
            self.answer(body, kind)
            return
        start = int(wanted[1])
        end = min(int(wanted[2] or len(body)), len(body) - 1)
        self.answer(body[start : end + 1], kind, 206, {"Content-Range": f"bytes {start}-{end}/{len(body)}"})

    def upload(self, body: bytes) -> dict[str, str]:
        """Keep the file of a form, under a name that is not taken."""
        head = f"Content-Type: {self.headers['Content-Type']}\r\n\r\n".encode()
        form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
        fields = {part.get_param("name", header="content-disposition"): part for part in form.iter_parts()}
        name = fields["image"].get_filename()
        name = name if name not in self.pictures else name.replace(".", " (1).")
        self.pictures[name] = fields["image"].get_payload(decode=True)
        return {"name": name, **{key: fields[key].get_content().strip() for key in ("subfolder", "type")}}

    def answer(self, body: bytes, kind: str, status: int = 200, more: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status)
        for header, value in more.items():
            self.send_header(header, value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Log nothing."""


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The browser."""
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        pytest.skip("Playwright is not installed: pip install 'inbetween-vfi[browser]'")
    found = shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The files of the server: a disc that moves from the left to the right, others, and a clip.

    The clip goes from dark to bright; its sound goes on after the picture.
    """

    def encoded(picture: np.ndarray) -> bytes:
        return cv2.imencode(".png", picture)[1].tobytes()

    def disc(x: int) -> bytes:
        return encoded(cv2.circle(np.full((200, 320, 3), 60, np.uint8), (x, 100), 30, (40, 90, 230), cv2.FILLED))

    clip = tmp_path_factory.mktemp("clip") / "clip.mp4"
    film(clip, range(26), Fraction(1, 25), size=(320, 200), shade=lambda k: 30 + 8 * k, sound=Fraction(3, 2))
    return {
        "first.png": disc(80),
        "last.png": disc(240),
        "square.png": encoded(np.full((64, 64, 3), 200, np.uint8)),
        "run.png": encoded(np.full((200, 320, 3), 120, np.uint8)),
        "clip.mp4": clip.read_bytes(),
    }


@pytest.fixture(scope="session")
def page(request: pytest.FixtureRequest, chromium: Any, pictures: dict[str, bytes]) -> Iterator[Any]:
    """The page of a front end, (version, whether in Nodes 2.0): opened once for all its tests, which run one after another.

    Only one is open at a time, since a hidden page keeps drawing.
    """
    version, vue = request.param
    settings = {**PLAIN_START, "Comfy.VueNodes.Enabled": vue}
    handler = partial(Mock, directory=str(bundle(version)), settings=settings, pictures=pictures)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        opened = open_page(chromium, f"http://127.0.0.1:{server.server_port}")
        yield opened
        opened.context.close()
        server.shutdown()


def open_page(chromium: Any, address: str) -> Any:
    """A loaded page; ``errors`` lists the errors of its scripts."""
    context = chromium.new_context(viewport={"width": 1500, "height": 1000}, has_touch=True)
    context.set_default_timeout(MINUTE)
    context.grant_permissions(["clipboard-read", "clipboard-write"], origin=address)
    context.route(lambda url: not url.startswith(address), lambda route: route.abort())
    page = context.new_page()
    page.route_web_socket(re.compile("/ws"), lambda socket: socket.send(json.dumps(STATUS)))
    page.errors, page.let_pass = [], partial(let_pass, page)
    page.on("pageerror", lambda error: page.errors.append(str(error.stack)))
    page.goto(address, wait_until="commit")
    ready = "!!window.app?.graph && !!window.LiteGraph?.registered_node_types?.InbetweenTrackEditor"
    page.wait_for_function(ready, timeout=3 * MINUTE)  # the whole of ComfyUI's page is read and compiled
    page.let_pass(1500)
    page.keyboard.press("Escape")
    return page


def let_pass(page: Any, milliseconds: int) -> None:
    """Wait by the page's own clock: what it was to do within that time is done and drawn, however busy the machine is."""
    page.evaluate(PASSED, milliseconds)
