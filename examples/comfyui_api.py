"""Make a clip smoother on a ComfyUI server: upload, queue, watch, download. Needs Python 3.10 and nothing else.

    python comfyui_api.py clip.mp4 smooth.mp4 --times 2 --server http://127.0.0.1:8188

Ctrl-C cancels the job on the server. docs/comfyui-api.md goes through the steps.
"""

from __future__ import annotations

import argparse
import base64
import json
import secrets
import socket
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlencode, urlsplit
from urllib.request import Request, urlopen

ENDS = ("execution_success", "execution_error", "execution_interrupted")


class Failed(Exception):
    """What the server refused or could not do, for the user to read."""


class Server:
    """The HTTP interface of a ComfyUI server."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")

    def call(self, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
        """The answer to a GET request or, with a ``body``, to a POST request."""
        try:
            with urlopen(Request(self.address + path, body, {"Content-Type": kind}), timeout=60) as answer:
                return answer.read()
        except HTTPError as error:
            raise Failed(refusal(error.read()) or f"{path} was answered with {error}") from error
        except URLError as error:
            raise Failed(f"no server answers at {self.address}: {error.reason}") from error

    def post(self, path: str, **body: Any) -> Any:
        """POST a JSON object; the JSON of the answer, None if it is empty."""
        text = self.call(path, json.dumps(body).encode())
        return json.loads(text) if text else None

    def upload(self, clip: Path) -> str:
        """Copy a file into the server's input folder. Its name there differs if another file has that name already."""
        border = secrets.token_hex(16)
        name = clip.name.replace('"', "%22")
        head = f'--{border}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'
        body = head.encode() + clip.read_bytes() + f"\r\n--{border}--\r\n".encode()
        placed = json.loads(self.call("/upload/image", body, f"multipart/form-data; boundary={border}"))
        return "/".join(filter(None, (placed["subfolder"], placed["name"])))

    def queue(self, workflow: dict[str, Any], client: str) -> str:
        """Queue a workflow and return its id. ``client`` is who hears of its progress."""
        return self.post("/prompt", prompt=workflow, client_id=client)["prompt_id"]

    def cancel(self, job: str) -> None:
        """Stop a job, whether it runs or waits. Jobs of others go on."""
        self.post("/queue", delete=[job])
        self.post("/interrupt", prompt_id=job)

    def saved(self, job: str) -> list[dict[str, str]]:
        """The files that a job's output nodes have saved."""
        outputs = json.loads(self.call(f"/history/{job}"))[job]["outputs"]
        return [file for node in outputs.values() for file in node.get("images", ()) if file["type"] == "output"]

    def download(self, file: dict[str, str], target: Path) -> None:
        """Fetch a saved file. An existing ``target`` is never overwritten."""
        with target.open("xb") as output:
            output.write(self.call("/view?" + urlencode(file)))


def refusal(text: bytes) -> str | None:
    """A refused prompt in words: what is wrong with which input of which node. None if the answer is something else."""
    try:
        answer = json.loads(text)
        lines = [f"the prompt was refused: {answer['error']['message']}"]
        for number, node in answer["node_errors"].items():
            lines += [f"  node {number}, {node['class_type']}: {error['details']}" for error in node["errors"]]
    except (ValueError, LookupError, TypeError):
        return None
    return "\n".join(lines)


class Messages:
    """The messages of a ComfyUI server for one client, from its WebSocket (RFC 6455). Previews are binary and left out."""

    def __init__(self, address: str, client: str) -> None:
        parts = urlsplit(address)
        host, port = parts.hostname or "127.0.0.1", parts.port or 80
        self.socket = socket.create_connection((host, port))
        self.stream = self.socket.makefile("rb")
        key = base64.b64encode(secrets.token_bytes(16)).decode()
        asked = [
            f"GET {parts.path.rstrip('/')}/ws?clientId={client} HTTP/1.1",
            f"Host: {host}:{port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            f"Sec-WebSocket-Key: {key}",
            "Sec-WebSocket-Version: 13",
        ]
        self.socket.sendall("\r\n".join([*asked, "", ""]).encode())
        if b" 101 " not in self.stream.readline():
            raise Failed(f"{address}/ws is no WebSocket")
        while self.stream.readline().strip():
            pass  # the rest of the answer's head

    def __iter__(self) -> Iterator[tuple[str, dict[str, Any]]]:
        while len(head := self.stream.read(2)) == 2:
            size = head[1] & 0x7F
            if size >= 126:
                size = int.from_bytes(self.stream.read(2 if size == 126 else 8), "big")
            payload = self.stream.read(size)
            if head[0] == 0x81:  # a whole text
                message = json.loads(payload)
                yield message["type"], message["data"]
        raise Failed("the server has closed the connection")

    def close(self) -> None:
        self.stream.close()
        self.socket.close()


def workflow(clip: str, times: int, model: str) -> dict[str, Any]:
    """Interpolate a video, in ComfyUI's API form: each node by its number, a link as [number, output]."""
    return {
        "1": {"class_type": "LoadVideo", "inputs": {"file": clip}},
        "2": {"class_type": "InbetweenLoadModel", "inputs": {"model": model, "allow_download": False}},
        "3": {
            "class_type": "InbetweenInterpolateVideo",
            "inputs": {"video": ["1", 0], "model": ["2", 0], "mode": "times", "mode.times": times},
        },
        "4": {
            "class_type": "SaveVideo",
            "inputs": {"video": ["3", 0], "filename_prefix": "smooth", "format": "auto", "codec": "auto"},
        },
    }


def follow(messages: Messages, job: str) -> None:
    """Show the progress of a job until it ends. Raises `Failed` unless it succeeds."""
    for kind, data in messages:
        if data.get("prompt_id") != job:
            continue  # another job's, or the state of the queue
        if kind == "progress":
            sys.stderr.write(f"\rnode {data['node']}: {data['value']} of {data['max']} ")
            sys.stderr.flush()
        if kind in ENDS:
            sys.stderr.write("\n")
            if kind == "execution_error":
                raise Failed(f"node {data['node_id']}, {data['node_type']}: {data['exception_message'].strip()}")
            if kind == "execution_interrupted":
                raise Failed("the job was cancelled")
            return


def main() -> int:
    parser = argparse.ArgumentParser(description="Make a clip smoother on a ComfyUI server with the Inbetween nodes.")
    parser.add_argument("clip", type=Path)
    parser.add_argument("output", type=Path, help="must not exist yet")
    parser.add_argument("--times", type=int, default=2, help="output frames per source frame (2)")
    parser.add_argument("--model", default="auto", help="an entry of Load Interpolation Model (auto)")
    parser.add_argument("--server", default="http://127.0.0.1:8188", help="the address of ComfyUI (%(default)s)")
    chosen = parser.parse_args()
    if chosen.output.exists():
        parser.error(f"{chosen.output} exists: give another name")
    server, client = Server(chosen.server), uuid.uuid4().hex
    try:
        name = server.upload(chosen.clip)
        messages = Messages(server.address, client)  # before the job is queued, so that no message is missed
        try:
            job = server.queue(workflow(name, chosen.times, chosen.model), client)
            try:
                follow(messages, job)
            except KeyboardInterrupt:
                server.cancel(job)
                raise Failed("the job was cancelled") from None
        finally:
            messages.close()
        (file,) = server.saved(job)
        server.download(file, chosen.output)
    except (Failed, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
