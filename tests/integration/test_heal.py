"""The nodes that find and mend faults, in a real ComfyUI: their sockets, sound as AUDIO, and that all follow one plan."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch
from footage import film, panned
from forms import all_saved

from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip
from vfi.core import Frame
from vfi.timing.grids import exact_rate

pytestmark = pytest.mark.comfyui

COUNT, RATE = 24, 24
FLASH, FROZEN = 8, 4
"""A frame that is white, and frames at the end that stand still."""


@pytest.fixture(scope="module")
def broken(comfyui) -> str:
    """The name of a clip with a flash and a frozen end, with a second of sound, in ComfyUI's input folder."""
    folder = comfyui.base / "input"
    rate = exact_rate(RATE)
    sound = film(folder / "tone.mkv", range(COUNT + 1), 1 / rate, sound=COUNT / rate)
    shown = panned(COUNT - FROZEN)
    shown = [*shown, *[shown[-1]] * FROZEN]
    with create_clip(folder / "broken.mp4", Info(64, 64, rate=rate), encoding=Encoding("h264", 2), audio=sound) as writer:
        for k, rgb in enumerate(shown):
            writer.write(Frame(torch.ones_like(rgb) if k == FLASH else rgb, k / rate, 1 / rate))
    return "broken.mp4"


def node(kind: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": kind, "inputs": inputs}


def workflow(broken: str) -> dict[str, Any]:
    """One clip, found once, mended three ways: as a file, as frames with AUDIO, and while its frames are doubled."""
    healing = {
        "duration": "auto",
        "repeats": "auto",
        "even": False,
        "kinds": "all",
        "model": ["model", 0],
        "plan": ["found", 0],
    }
    return {
        "video": node("LoadVideo", file=broken),
        "parts": node("GetVideoComponents", video=["video", 0]),
        "model": node("InbetweenLoadModel", model="linear", allow_download=False),
        "found": node(
            "InbetweenFindFaults",
            video=["video", 0], source_fps=24.0, leave="", kinds="all",
            duration="keep", repeats="spread", even=False, anchor="first",
        ),
        "told": node("PreviewAny", source=["found", 1]),
        "healed": node("InbetweenHealVideo", video=["video", 0], crf=2, codec="h264", **healing),
        "saved": node("SaveVideo", video=["healed", 0], filename_prefix="healed", format="auto", codec="auto"),
        "frames": node(
            "InbetweenHealClip", images=["parts", 0], audio=["parts", 1], source_fps=["parts", 2], **healing
        ),
        "put": node("CreateVideo", images=["frames", 0], audio=["frames", 4], fps=["frames", 1]),
        "kept": node("SaveVideo", video=["put", 0], filename_prefix="frames", format="auto", codec="auto"),
        "twice": node(
            "InbetweenInterpolateVideo",
            video=["video", 0], model=["model", 0], plan=["found", 0], crf=2, codec="h264", mode="times", **{"mode.times": 2},
        ),
        "doubled": node("SaveVideo", video=["twice", 0], filename_prefix="twice", format="auto", codec="auto"),
    }  # fmt: skip


def levels(path: Path) -> list[float]:
    """The brightness of each frame."""
    with av.open(str(path)) as container:
        return [float(frame.to_ndarray(format="rgb24").mean()) for frame in container.decode(video=0)]


def heard(path: Path) -> float:
    """Seconds of sound."""
    with av.open(str(path)) as container:
        return sum(frame.samples / frame.sample_rate for frame in container.decode(audio=0))


def test_a_clip_is_mended_as_a_file_as_frames_and_while_it_is_interpolated(comfyui, session, broken: str):
    outputs, _ = session.run(workflow(broken))
    found = "".join(outputs["told"]["text"]).splitlines()
    assert [line.split(", ")[0] for line in found[:2]] == [f"frame {FLASH}", f"frames {COUNT - FROZEN}-{COUNT - 1}"]
    videos = all_saved(comfyui, outputs)
    kept = COUNT - FROZEN
    for name, frames in (("healed", kept), ("frames", kept), ("twice", 2 * kept)):
        shown = levels(videos[name])
        assert len(shown) == frames
        assert max(shown) - min(shown) < 40, name  # the flash is white
        assert heard(videos[name]) == pytest.approx(kept / RATE, abs=0.05), name
    np.testing.assert_allclose(levels(videos["healed"]), levels(videos["frames"]), atol=2)
    assert session.complaints() == []


def test_kinds_that_are_switched_off_stay(comfyui, session, broken: str):
    chosen = workflow(broken)
    for key in ("put", "kept", "frames", "twice", "doubled", "parts"):
        del chosen[key]
    chosen["healed"]["inputs"] |= {"kinds": "chosen", "kinds.flash": False, "kinds.freeze": True}
    chosen["told"]["inputs"]["source"] = ["healed", 3]
    outputs, _ = session.run(chosen)
    told = "".join(outputs["told"]["text"])
    assert told.splitlines()[-1] == "1 of 2 findings are left as they are: flash is switched off"
    shown = levels(all_saved(comfyui, outputs)["healed"])
    assert len(shown) == COUNT - FROZEN
    assert shown[FLASH] > 240
    assert session.complaints() == []
