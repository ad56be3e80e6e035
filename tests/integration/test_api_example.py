"""examples/comfyui_api.py against a real server, and what docs/comfyui-api.md states about it."""

from __future__ import annotations

import json
import re
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import av
import pytest
from forms import ROOT

SCRIPT = ROOT / "examples" / "comfyui_api.py"
CLIP = ROOT / "examples" / "fox-16fps.mp4"
PAGE = ROOT / "docs" / "comfyui-api.md"

pytestmark = pytest.mark.comfyui


def started(comfyui, *arguments: object) -> subprocess.Popen[str]:
    words = [*map(str, arguments), "--server", f"http://127.0.0.1:{comfyui.port}"]
    return subprocess.Popen(
        [sys.executable, "-I", SCRIPT, *words],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job of a shell ignores it
    )


def ended(comfyui, *arguments: object) -> tuple[int, str]:
    process = started(comfyui, *arguments)
    _, told = process.communicate(timeout=300)
    return process.returncode, told


def test_a_clip_is_made_smoother(comfyui, tmp_path: Path):
    target = tmp_path / "smooth.mp4"
    code, told = ended(comfyui, CLIP, target, "--model", "linear")
    assert code == 0, told
    assert "node 3: 66 of 66" in told
    with av.open(target) as container:
        assert sum(1 for _ in container.decode(video=0)) == 66


def test_an_output_that_exists_is_kept(comfyui, tmp_path: Path):
    target = tmp_path / "mine.mp4"
    target.write_text("mine")
    code, told = ended(comfyui, CLIP, target)
    assert code == 2
    assert "exists: give another name" in told
    assert target.read_text() == "mine"


def test_a_refused_prompt_says_which_input(comfyui, tmp_path: Path):
    code, told = ended(comfyui, CLIP, tmp_path / "none.mp4", "--model", "rife-4.25")
    assert code == 1
    first, second = told.splitlines()
    assert first == "the prompt was refused: Prompt outputs failed validation"
    assert second.startswith("  node 2, InbetweenLoadModel: model - rife-4.25 is not on disk and allow download is off")
    assert not (tmp_path / "none.mp4").exists()


def test_what_fails_while_it_runs_is_one_sentence(comfyui, tmp_path: Path):
    text = tmp_path / "text.mp4"
    text.write_text(secrets.token_hex(8))
    code, told = ended(comfyui, text, tmp_path / "none.mp4", "--model", "linear")
    assert code == 1
    assert re.search(r"^node 3, InbetweenInterpolateVideo: .* is not a readable video or image", told, re.MULTILINE), told
    assert "Traceback" not in told


def test_no_server_is_one_sentence(tmp_path: Path):
    words = [CLIP, tmp_path / "none.mp4", "--server", "http://127.0.0.1:9"]
    done = subprocess.run([sys.executable, "-I", SCRIPT, *words], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert done.stderr.startswith("no server answers at http://127.0.0.1:9: ")


def test_ctrl_c_cancels_the_job(comfyui, session, tmp_path: Path):
    process = started(comfyui, CLIP, tmp_path / "none.mp4", "--times", 64, "--model", "dis")
    assert process.stderr is not None
    told = ""
    while not re.search(r"node 3: [1-9]\d* of", told):
        told += process.stderr.read(1)
        assert process.poll() is None, told
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 1
    assert process.stderr.read().endswith("the job was cancelled\n")
    (job,) = (key for key, item in history(comfyui).items() if item["prompt"][2]["3"]["inputs"].get("mode.times") == 64)
    assert history(comfyui)[job]["status"]["messages"][-1][0] == "execution_interrupted"
    queue = comfyui.get("/queue")
    assert not queue["queue_running"]
    assert not queue["queue_pending"]


def history(comfyui) -> dict:
    """All jobs that have ended; the running one is waited for."""
    while comfyui.get("/queue")["queue_running"]:
        time.sleep(0.05)
    with urlopen(f"http://127.0.0.1:{comfyui.port}/history") as answer:
        return {key: item for key, item in json.load(answer).items() if "3" in item["prompt"][2]}


def test_the_page_shows_the_workflow_that_runs():
    page = PAGE.read_text(encoding="utf-8")
    (block,) = re.findall(r"\n\n((?:    .*\n)+)", page[page.index("## The workflow") :])[:1]
    source = SCRIPT.read_text(encoding="utf-8")
    names: dict = {"__name__": "shown"}
    exec(compile(source, SCRIPT.name, "exec"), names)
    assert json.loads(block) == names["workflow"]("clip.mp4", 2, "auto")
