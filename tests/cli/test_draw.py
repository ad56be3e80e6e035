"""``vfi tween --draw`` with tiny random networks, which draw 6 frames: 5 steps from one keyframe to the other."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import av
import pytest
import torch
from crafting import file, pair, sketch_state
from safetensors.torch import save_file
from torch import Tensor
from tweening import state

from vfi import __main__
from vfi.clips.clip import Info
from vfi.clips.images import read_image
from vfi.clips.open import create_clip, open_clip
from vfi.core import Frame
from vfi.pixels.transfer import named
from vfi.pixels.uint8 import floats
from vfi.tween.fit import Fit
from vfi.tween.methods import METHODS, Asked

SIZE = (64, 64)


def vfi(*arguments: object) -> int:
    return __main__.main([str(argument) for argument in arguments])


def written(folder: Path, *frames: Frame, depth: int = 8) -> list[Path]:
    """The frames as images."""
    height, width = frames[0].rgb.shape[-2:]
    with create_clip(folder, Info(width, height, rate=None, alpha=frames[0].alpha is not None, depth=depth)) as writer:
        for index, frame in enumerate(frames):
            writer.write(Frame(frame.rgb, index, alpha=frame.alpha))
    return sorted(folder.iterdir())


def frames(path: Path) -> Tensor:
    """[F,3,H,W] 0..1"""
    return torch.stack([floats(frame.rgb) for frame in open_clip(path)])


@pytest.fixture(scope="module")
def shelf(tmp_path_factory) -> Path:
    """A folder of the networks' files and the keyframes 0 and 1."""
    folder = tmp_path_factory.mktemp("shelf")
    for name, tensors in (("toon", file()), ("sketch", sketch_state()), ("unet", state("unet"))):
        save_file({key: value.contiguous() for key, value in tensors.items()}, folder / f"{name}.safetensors")
    written(folder / "keys", *(Frame(key[:, :, 32:96], 0) for key in pair("dc_loop")))
    return folder


@pytest.fixture
def drawn(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command in a folder of its own; its exit code."""
    monkeypatch.chdir(tmp_path)
    return partial(draw, shelf)


def draw(shelf: Path, *options: object, out: object = "out", keys: list[Path] | None = None, **changes: object) -> int:
    """Run the command with the tiny ToonCrafter; None leaves an option out."""
    given = {
        "frames": 4, "draw": "tooncrafter", "weights": shelf / "toon.safetensors", "draw-size": "64x64", "steps": 1,
        "model": "linear",
    }  # fmt: skip
    asked = [part for name, value in (given | changes).items() if value is not None for part in (f"--{name}", value)]
    return vfi("tween", *(keys or sorted((shelf / "keys").iterdir())), out, *asked, *options)


@pytest.fixture(scope="module")
def plain(shelf: Path) -> Tensor:
    """The frames that are drawn, [6,3,H,W] 0..1."""
    assert draw(shelf, out=shelf / "plain") == 0
    return frames(shelf / "plain")


def test_the_drawn_frames_are_the_clip(drawn, plain: Tensor, shelf: Path, tmp_path: Path, capsys):
    keys = frames(shelf / "keys")
    assert len(plain) == 6
    assert torch.equal(plain[[0, -1]], keys)
    library = METHODS["tooncrafter"].draw([shelf / "toon.safetensors"], Asked(*keys, settings={"steps": 1}))
    assert torch.equal(plain[1:-1], library[1:-1].mul(255).round().div(255))
    assert drawn(seed=0) == 0
    assert torch.equal(frames(tmp_path / "out"), plain)
    assert drawn(seed=4, steps=2, out="other") == 0
    assert not torch.equal(frames(tmp_path / "other")[1:-1], plain[1:-1])
    assert "cropped" not in capsys.readouterr().err


def test_the_flow_model_makes_the_frames_between(drawn, plain: Tensor, tmp_path: Path, capsys):
    assert drawn("--json", frames=9) == 0
    assert json.loads(capsys.readouterr().out)["frames"] == 11
    double = frames(tmp_path / "out")
    assert len(double) == 11
    assert torch.equal(double[::2], plain)
    torch.testing.assert_close(double[1::2], (plain[:-1] + plain[1:]) / 2, atol=1.1 / 255, rtol=0)


def test_any_number_of_frames_is_shown_at_the_rate(drawn, plain: Tensor, tmp_path: Path):
    """Eight steps instead of five."""
    assert drawn(frames=7, fps=16, codec="ffv1", out="out.mkv") == 0
    with av.open(tmp_path / "out.mkv") as container:
        assert container.streams.video[0].average_rate == 16
        times = [frame.time for frame in container.decode(video=0)]
    assert times == pytest.approx([index / 16 for index in range(9)], abs=1e-3)
    made = frames(tmp_path / "out.mkv")
    torch.testing.assert_close(made[[0, -1]], plain[[0, -1]], atol=4 / 255, rtol=0)  # by way of YUV
    weight = 5 / 8  # of the second drawn frame
    torch.testing.assert_close(made[1], plain[0] * (1 - weight) + plain[1] * weight, atol=4 / 255, rtol=0)


def test_time_runs_as_it_is_eased(drawn, plain: Tensor, tmp_path: Path):
    assert drawn(frames=3, ease="in") == 0
    made = frames(tmp_path / "out")
    assert len(made) == 5
    assert torch.equal(made[[0, -1]], plain[[0, -1]])
    torch.testing.assert_close(made[2], plain[1] * 0.75 + plain[2] * 0.25, atol=1.1 / 255, rtol=0)  # a quarter of the way: 1.25


def test_sketches_lead_the_frames_of_their_numbers(drawn, plain: Tensor, shelf: Path, tmp_path: Path):
    light = torch.zeros(3, 64, 64)
    light[:, 20:40, 30:34] = 1
    for name, picture in (("dark", 1 - light), ("light", light)):
        (made,) = written(tmp_path / f"{name} drawing", Frame(picture, 0))
        (tmp_path / name).mkdir()
        made.rename(tmp_path / name / ("rough_0002.png" if name == "dark" else "2.png"))
    for name in ("dark", "light"):
        files = ("--weights", shelf / "toon.safetensors", shelf / "sketch.safetensors")
        assert drawn(*files, weights=None, sketch=tmp_path / name, out=f"{name} out") == 0
    led = frames(tmp_path / "dark out")
    assert torch.equal(led, frames(tmp_path / "light out"))
    assert not torch.equal(led, plain)


def test_linear_light_is_drawn_as_srgb(drawn, shelf: Path, tmp_path: Path, capsys):
    """Light above white stays in the keyframes."""
    given = torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(0)) * 2
    (tmp_path / "keys").mkdir()
    with create_clip(tmp_path / "keys" / "%06d.exr", Info(*SIZE, rate=None, depth=32, floats=True, curve="linear")) as writer:
        for index, key in enumerate(given):
            writer.write(Frame(key, index))
    keys = sorted((tmp_path / "keys").iterdir())
    assert drawn(keys=keys) == 0
    made = frames(tmp_path / "out")
    assert torch.equal(made[[0, -1]], given)
    coded = named("srgb").code(given.clamp(0, 1))
    library = METHODS["tooncrafter"].draw([shelf / "toon.safetensors"], Asked(*coded, settings={"steps": 1}))
    torch.testing.assert_close(made[1:-1], named("srgb").light(library[1:-1]), atol=1e-5, rtol=0)
    assert "light above white is drawn as white between the keyframes" in " ".join(capsys.readouterr().err.split())


def test_fetched_files_are_the_default(drawn, plain: Tensor, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    names = {"toon": "tooncrafter_512_interp-pruned-fp16", "sketch": "sketch_encoder-fp16"}
    (tmp_path / "cache").mkdir()
    for own, fetched in names.items():
        (tmp_path / "cache" / f"{fetched}.safetensors").symlink_to(shelf / f"{own}.safetensors")
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path / "cache"))
    monkeypatch.delenv("COMFYUI_PATH", raising=False)
    (sketch,) = written(tmp_path / "one", Frame(torch.eye(64).expand(3, -1, -1), 0))
    (tmp_path / "sketches").mkdir()
    sketch.rename(tmp_path / "sketches" / "3.png")
    assert drawn(weights=None, sketch=tmp_path / "sketches") == 0
    made = frames(tmp_path / "out")
    assert torch.equal(made[[0, -1]], plain[[0, -1]])
    assert not torch.equal(made, plain)


def test_keyframes_of_another_shape_are_cropped_and_it_is_said(drawn, tmp_path: Path, capsys):
    """With transparency, which is left out."""
    large = torch.rand(2, 3, 140, 150, generator=torch.Generator().manual_seed(0))
    alpha = torch.full((1, 140, 150), 0.5)
    keys = written(tmp_path / "keys", *(Frame(key, 0, alpha=alpha) for key in large))
    assert drawn(keys=keys, frames=9) == 0
    made = frames(tmp_path / "out")
    fit = Fit.middle((150, 140), SIZE)
    expected = fit.pictures(torch.stack([floats(read_image(key).rgb) for key in keys])).clamp(0, 1)
    assert torch.equal(made[[0, -1]], expected.mul(255).round().div(255))
    told = " ".join(capsys.readouterr().err.split())
    assert "the keyframes are cropped to 140x140 in the middle, the shape of 64x64" in told
    assert "the transparency is left out: tooncrafter draws none" in told


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"draw": None, "steps": None}, "--weights was given without --draw: it belongs to a generative network"),
        ({"draw": None, "weights": None, "steps": None}, "--draw-size was given without --draw"),
        (
            {"draw": None, "weights": None, "draw-size": None, "steps": None, "prompt": "a cat"},
            "--prompt was given without --draw",
        ),
        ({"draw": "framer", "prompt": "a cat"}, "prompt was given: framer takes "),
        ({"draw": "svdkfi", "sketch": "sketches"}, "sketches were given: svdkfi does not follow sketches, "),
        ({"prompt": "a cat"}, "the prompt 'a cat' needs a vocabulary"),
        ({"draw-size": "120x64"}, "keyframes of 120x64 were given: width and height must be multiples of 64"),
        ({"sketch": "sketches"}, "sketches were given, and no sketch encoder: sketches need one"),
        ({"sketch": "unnumbered"}, "unnumbered/rough.png has no number: name a sketch by the number of its frame"),
        ({"sketch": "twice"}, "twice holds two sketches of frame 2"),
        ({"guide": "auto"}, "--parts or --guide was given with --draw: they lead the flow model; --tracks lead framer"),
        ({"weights": "gone.safetensors"}, "gone.safetensors"),
        ({"model": "gone"}, "no model is called 'gone'"),
        ({"eta": "2"}, "eta 2 "),
    ],
)
def test_what_does_not_suit_is_one_sentence(drawn, tmp_path: Path, capsys, changes: dict, told: str):
    for folder, names in (("sketches", ["2.png"]), ("unnumbered", ["rough.png"]), ("twice", ["2.png", "a_02.png"])):
        (tmp_path / folder).mkdir()
        for name in names:
            (image,) = written(tmp_path / "one", Frame(torch.rand(3, 64, 64), 0))
            image.rename(tmp_path / folder / name)
            (tmp_path / "one").rmdir()
    assert drawn(**changes) == 2
    said = capsys.readouterr().err
    assert told in " ".join(said.split())
    assert "Traceback" not in said
    assert not (tmp_path / "out").exists()


def test_a_size_is_two_numbers(drawn, capsys):
    with pytest.raises(SystemExit, match="2"):
        drawn(**{"draw-size": "128"})
    assert "argument --draw-size: '128' is not a size: give width and height, such as 512x320" in capsys.readouterr().err


def test_keyframes_of_two_sizes_are_one_sentence(drawn, shelf: Path, tmp_path: Path, capsys):
    keys = [*written(tmp_path / "small", Frame(torch.rand(3, 32, 64), 0)), min((shelf / "keys").iterdir())]
    assert drawn(keys=keys) == 2
    told = capsys.readouterr().err
    assert "64x32" in told
    assert "64x64" in told


@pytest.mark.parametrize(("out", "told"), [("out.gif", "unsupported ending"), ("full", "full")])
def test_nothing_is_drawn_for_an_output_that_cannot_be_made(
    drawn, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys, out: str, told: str
):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").touch()
    monkeypatch.setattr("vfi.tween.methods.Method.draw", lambda *given, **how: pytest.fail("it was drawn"))
    assert drawn(out=out) == 2
    assert told in capsys.readouterr().err
    assert (tmp_path / "full" / "mine.txt").exists()
