"""The command on real files: counts, durations, untouched frames, refusals and interruption."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from fractions import Fraction as F
from io import StringIO
from itertools import islice, pairwise
from pathlib import Path

import av
import numpy as np
import pytest
import torch
from networks import drawn_rife
from parity_other import load_set
from safetensors.torch import save_file

from vfi import __main__
from vfi.archs.rife import NAMED_LAYERS, Config, Head
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip, open_clip
from vfi.clips.video import CODECS
from vfi.core import Frame
from vfi.render import memory

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "fox-16fps.mp4"


def clip(path: Path, times: list[F], *, size: tuple[int, int] = (48, 32), last: F = F(1, 24), codec: str = "ffv1") -> Path:
    """A clip whose frame k is k * 8 / 255 grey."""
    info = Info(*size, rate=F(24))
    ends = [*times[1:], times[-1] + last]
    with create_clip(path, info, encoding=Encoding(codec), time_base=F(1, 24000)) as writer:
        for k, (start, end) in enumerate(zip(times, ends, strict=True)):
            writer.write(Frame(torch.full((3, size[1], size[0]), k * 8 / 255), start, end - start))
    return path


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


def frames_of(path: Path) -> list[Frame]:
    return list(open_clip(path))


def greys(frames: list[Frame]) -> list[float]:
    return [round(float(frame.rgb.mean()) * 255, 2) for frame in frames]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return clip(tmp_path / "in.mkv", [F(k, 24) for k in range(5)])


def test_times_two_keeps_frames_and_duration(source: Path, tmp_path: Path):
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--model", "linear", "--codec", "ffv1") == 0
    made = frames_of(tmp_path / "out.mkv")
    assert greys(made) == [0, 4, 8, 12, 16, 20, 24, 28, 32, 32]
    assert [frame.time for frame in made] == [F(k, 48) for k in range(10)]
    for before, after in zip(frames_of(source), made[::2], strict=True):
        assert torch.equal(before.rgb, after.rgb)


def test_a_rate_makes_as_many_as_the_duration_holds(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out = tmp_path / "out.mp4"
    assert vfi("interpolate", source, out, "--model", "linear", "--fps", "60000/1001", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    wanted = -(-F(5, 24) * F(60000, 1001) // 1)
    assert told["frames"] == wanted == 13
    assert told["fps"] == "60000/1001"
    with av.open(out) as container:
        stream = container.streams.video[0]
        stamps = [picture.pts * stream.time_base for picture in container.decode(stream)]
        assert stamps == [k * F(1001, 60000) for k in range(13)]
        assert stream.duration * stream.time_base == F(5, 24)


def test_slow_motion_keeps_the_rate(source: Path, tmp_path: Path):
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--model", "linear", "--slow", "2.5", "--codec", "ffv1") == 0
    made = frames_of(tmp_path / "out.mkv")
    assert len(made) == 13
    assert made[5].time == F(5, 24)
    assert greys(made)[5] == 16
    assert made[-1].time + made[-1].duration == pytest.approx(F(5, 24) * F(5, 2), abs=0.001)


def test_sound_is_copied_and_in_slow_motion_stretched(tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    source = with_sound(clip(tmp_path / "silent.mp4", [F(k, 24) for k in range(24)], codec="h264"), tmp_path / "in.mp4")
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--model", "nearest") == 0
    assert sound_of(tmp_path / "out.mp4") == sound_of(source) != []
    assert vfi("interpolate", source, tmp_path / "slow.mp4", "--model", "nearest", "--slow", 2, "--json") == 0
    assert json.loads(capsys.readouterr().out)["notes"] == []
    with av.open(tmp_path / "slow.mp4") as container:
        stream = container.streams.audio[0]
        assert stream.duration * stream.time_base == 2
    assert vfi("interpolate", source, tmp_path / "mute.mp4", "--model", "nearest", "--slow", 2, "--audio", "drop") == 0
    assert sound_of(tmp_path / "mute.mp4") == []


def with_sound(picture: Path, path: Path) -> Path:
    """The clip with a second of a tone."""
    with av.open(path, "w") as output, av.open(picture) as given:
        copy = output.add_stream_from_template(given.streams.video[0])
        tone = output.add_stream("aac", rate=44100)
        for packet in given.demux(video=0):
            if packet.size:
                packet.stream = copy
                output.mux(packet)
        wave = np.sin(np.arange(44100, dtype=np.float32) / 16)[None]
        samples = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        samples.sample_rate, samples.pts = 44100, 0
        output.mux([*tone.encode(samples), *tone.encode(None)])
    return path


def sound_of(path: Path) -> list[bytes]:
    with av.open(path) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size] if container.streams.audio else []


def test_variable_frame_rates_keep_their_times(tmp_path: Path):
    stamps = [F(0), F(100, 1000), F(167, 1000), F(217, 1000)]
    source = clip(tmp_path / "in.mp4", stamps, codec="h264", last=F(34, 1000))
    assert vfi("interpolate", source, tmp_path / "out.mp4", "--model", "nearest", "--times", 2) == 0
    made = frames_of(tmp_path / "out.mp4")
    assert [frame.time for frame in made[::2]] == stamps
    assert made[1].time == F(50, 1000)
    assert made[-1].time + made[-1].duration == F(251, 1000)


def test_folders_of_images_in_and_out(source: Path, tmp_path: Path):
    assert vfi("interpolate", source, tmp_path / "images", "--model", "nearest", "--times", 1) == 0
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == [f"{k:06d}.png" for k in range(5)]
    assert vfi("interpolate", tmp_path / "images", tmp_path / "more", "--in-fps", 12, "--model", "linear") == 0
    assert greys(frames_of(tmp_path / "more"))[:3] == [0, 4, 8]


def test_every_codec_can_be_asked_for(capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit):
        vfi("interpolate", "--help")
    assert f"--codec {{{','.join(CODECS)}}}" in "".join(capsys.readouterr().out.split("\n")).replace("  ", "")


def test_a_consensus_and_its_disagreement(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    out, doubt = tmp_path / "out.mkv", tmp_path / "doubt"
    asked = ("interpolate", source, out, "--times", 4, "--codec", "ffv1", "--model", "linear", "--consensus", "nearest")
    assert vfi(*asked, "--disagreement", doubt, "--json") == 0
    assert json.loads(capsys.readouterr().out)["model"] == "consensus of linear, nearest"
    assert greys(frames_of(out))[:6] == [0, 1, 2, 7, 8, 9]
    assert greys(frames_of(doubt)) == [*[0, 2, 4, 2] * 4, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--disagreement", "{}/doubt"], "--disagreement was given without --consensus"),
        (
            ["--consensus", "dis", "--disagreement", "{}/doubt", "--shutter", "180"],
            "--disagreement cannot be combined with --shutter",
        ),
        (["--consensus", "dis", "--disagreement", "{}/in.mkv/doubt"], "cannot be written"),
        (["--consensus", "dis,nothing"], "nothing"),
    ],
)
def test_a_consensus_that_cannot_be_gets_a_sentence(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
):
    options = [option.format(tmp_path) for option in options]
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--model", "linear", *options) == 2
    assert sentence in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.mkv"]


@pytest.mark.parametrize(("rung", "model"), [("linear", "linear"), ("draft", "dis-fast"), ("best", "consensus of inbetween-")])
def test_a_quality_chooses_the_model(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, rung: str, model: str
):
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path / "none"))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--quality", rung, "--codec", "ffv1", "--json") == 0
    assert json.loads(capsys.readouterr().out)["model"].startswith(model)
    assert len(frames_of(tmp_path / "out.mkv")) == 10


def test_refinement_is_left_out_when_asked(tmp_path: Path):
    torch.manual_seed(0)
    source = tmp_path / "in.mkv"
    with create_clip(source, Info(96, 64, rate=F(24)), encoding=Encoding("ffv1"), time_base=F(1, 24)) as writer:
        for k in range(3):
            writer.write(Frame(torch.rand(3, 64, 96), F(k, 24), F(1, 24)))
    net = drawn_rife(Config((16, 12, 8, 8, 6), outputs=13, head=Head(8, 4, NAMED_LAYERS)))
    save_file(net.flownet.state_dict(), tmp_path / "rife.safetensors")
    made = []
    for name, options in (("all.mkv", []), ("less.mkv", ["--no-refine"])):
        asked = ["--model", tmp_path / "rife.safetensors", "--codec", "ffv1", "--cuts", "interpolate", *options]
        assert vfi("interpolate", source, tmp_path / name, *asked) == 0
        made.append(torch.stack([frame.rgb for frame in frames_of(tmp_path / name)]))
    assert torch.equal(made[0][::2], made[1][::2])
    assert not torch.equal(made[0][1::2], made[1][1::2])


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--quality", "draft", "--model", "dis"], "quality draft uses no network: leave the model at auto"),
        (["--quality", "best", "--tta", "duo"], "quality best has its own passes"),
        (["--quality", "fast", "--model", "linear"], "linear does not estimate motion"),
    ],
)
def test_what_contradicts_a_quality_gets_a_sentence(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
):
    assert vfi("interpolate", source, tmp_path / "out.mkv", *options) == 2
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--seed", "3"], "linear draws nothing from noise"),
        (["--steps", "1"], "sampling takes 2 to 999"),
        (["--eta", "2"], "eta 2 was given"),
        (["--heat", "2"], "heat 2 was given"),
    ],
)
def test_sampling_that_cannot_be_gets_a_sentence(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], sentence: str
):
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--model", "linear", *options) == 2
    assert sentence in capsys.readouterr().err


def test_a_seed_and_steps_reach_a_diffusion_model(source: Path, tmp_path: Path):
    save_file(load_set("ldmvfi/ldmvfi_tiny").state(), tmp_path / "drawn.safetensors")
    made = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        out = tmp_path / f"{name}.mkv"
        asked = ("--steps", 2, "--eta", 1, "--seed", seed, "--codec", "ffv1", "--to", "2f")
        assert vfi("interpolate", source, out, "--model", tmp_path / "drawn.safetensors", *asked) == 0
        made.append(torch.stack([frame.rgb for frame in frames_of(out)]))
    assert torch.equal(made[0], made[1])
    assert not torch.equal(made[0], made[2])


def test_tween_makes_the_frames_between_two_pictures(source: Path, tmp_path: Path):
    assert vfi("interpolate", source, tmp_path / "images", "--model", "nearest", "--times", 1) == 0
    first, last = tmp_path / "images" / "000000.png", tmp_path / "images" / "000004.png"
    assert vfi("tween", first, last, tmp_path / "tween", "--frames", 3, "--model", "linear") == 0
    assert greys(frames_of(tmp_path / "tween")) == [0, 8, 16, 24, 32]
    assert vfi("tween", first, last, tmp_path / "tween.mp4", "--frames", 3, "--model", "linear", "--fps", 12) == 0
    made = frames_of(tmp_path / "tween.mp4")
    assert [frame.time for frame in made] == [F(k, 12) for k in range(5)]
    assert made[-1].duration == F(1, 12)


@pytest.mark.slow
def test_the_example_clip_becomes_smooth(tmp_path: Path):
    assert vfi("interpolate", EXAMPLE, tmp_path / "out.mp4", "--model", "dis", "--to", "12f") == 0
    made = frames_of(tmp_path / "out.mp4")
    given = list(islice(open_clip(EXAMPLE), 12))
    assert len(made) == 2 * len(given)
    assert made[-1].time + made[-1].duration == given[-1].time + given[-1].duration
    steps = [float((b.rgb - a.rgb).abs().mean()) for a, b in pairwise(made[:-1])]
    jumps = [float((b.rgb - a.rgb).abs().mean()) for a, b in pairwise(given)]
    assert np.median(steps) < 0.9 * np.median(jumps)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["missing.mp4", "out.mp4"], "does not exist"),
        (["IN", "out.xyz"], "out.xyz"),
        (["IN", "nowhere/out.mp4"], "there is no folder"),
        (["IN", "IN"], "is an input: give the output another name"),
        (["IN", "out.mp4", "--model", "rife-9"], "no model is called"),
        (["IN", "out.mp4", "--model", "missing.safetensors"], "missing.safetensors"),
        (["IN", "out.mp4", "--codec", "prores"], "cannot hold prores"),
        (["IN", "out.mp4", "--device", "abacus"], "there is no device"),
        (["IN", "out.mp4", "--dtype", "float16"], "float16"),
        (["IN", "out.mp4", "--pad", "wrap"], "is not a padding"),
        (["IN", "out.mp4", "--times", "2", "--fps", "60"], "drop one of the two"),
        (["IN", "out.mp4", "--in-fps", "24"], "has its own frame rate"),
        (["IN", "images", "--crf", "18"], "crf"),
    ],
)
def test_bad_input_is_one_sentence_and_leaves_nothing(
    arguments: list[str],
    says: str,
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    monkeypatch.chdir(tmp_path)
    assert vfi("interpolate", *(source.name if word == "IN" else word for word in arguments)) == 2
    err = capsys.readouterr().err.strip()
    assert says in err
    assert err.splitlines()[-1].startswith("vfi: ")
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.name]


@pytest.mark.parametrize(
    "arguments",
    [["--times", "0"], ["--times", "two"], ["--fps", "fast"], ["--slow", "-1"], ["--batch", "0"], ["--scale", "big"]],
)
def test_bad_arguments_exit_with_two(arguments: list[str], source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as stopped:
        vfi("interpolate", source, tmp_path / "out.mp4", *arguments)
    assert stopped.value.code == 2
    assert arguments[0] in capsys.readouterr().err


def test_an_existing_output_survives_a_failure(source: Path, tmp_path: Path):
    out = tmp_path / "out.mp4"
    out.write_bytes(b"precious")
    assert vfi("interpolate", source, out, "--model", "rife-9") == 2
    assert out.read_bytes() == b"precious"


@pytest.mark.skipif(os.name != "posix", reason="needs POSIX signals")
def test_interrupted_work_leaves_a_playable_part_under_another_name(tmp_path: Path):
    source = tmp_path / "in.mkv"
    with create_clip(source, Info(128, 96, rate=F(24)), encoding=Encoding("ffv1")) as writer:
        for index in range(48):
            writer.write(Frame(torch.rand(3, 96, 128), F(index, 24), F(1, 24)))
    # 196608 frames, of which it is interrupted after about a thousand
    arguments = ["interpolate", str(source), str(tmp_path / "out.mp4"), "--times", "4096", "--model", "linear", "--crf", "1"]
    running = subprocess.Popen(
        [sys.executable, "-m", "vfi", *arguments],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a background job of a shell ignores it
    )
    staged_at_least = 4096
    deadline = time.monotonic() + 600
    while not any(path.stat().st_size > staged_at_least for path in tmp_path.glob(".out.partial-*")):
        if running.poll() is not None or time.monotonic() > deadline:
            running.kill()
            pytest.fail(running.communicate()[1])
        time.sleep(0.05)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=600)
    assert running.returncode == 130, err
    assert "out.partial.mp4" in err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.mkv", "out.partial.mp4"]
    assert len(frames_of(tmp_path / "out.partial.mp4")) > 10


class Terminal(StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("answer", "code"), [("y\n", 0), ("YES\n", 0), ("n\n", 2), ("\n", 2), ("", 2)])
def test_at_a_terminal_more_memory_than_is_free_is_a_question(
    source: Path, tmp_path: Path, answer: str, code: int, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(memory, "free", lambda device=None: 10**6)
    shown = Terminal()
    monkeypatch.setattr(sys, "stdin", Terminal(answer))
    monkeypatch.setattr(sys, "stderr", shown)
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--model", "linear") == code
    assert "of memory and 1.0 MB is free: try it anyway? [y/N]" in shown.getvalue()
    assert (tmp_path / "out.mkv").exists() == (code == 0)
    assert ("give --memory-ok to try it anyway" in shown.getvalue()) == (code == 2)


def test_more_memory_than_is_free_is_refused_unless_allowed(source: Path, tmp_path: Path, monkeypatch, capsys):
    monkeypatch.setattr(memory, "free", lambda device=None: 10**6)
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--model", "linear") == 2
    assert "give --memory-ok to try it anyway" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == [source.name]
    assert vfi("interpolate", source, tmp_path / "out.mkv", "--model", "linear", "--memory-ok") == 0
