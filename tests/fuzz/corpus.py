"""Whole files of every kind that is read, made in code, and the commands that read them.

Knows nothing of how they are damaged or run.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from tests.footage import film, moving, png
from tests.layered import ora, psd
from tests.sheeting import cel, xdts
from vfi import __main__
from vfi.archs import inbetween
from vfi.clips.clip import Encoding, Info
from vfi.clips.open import create_clip
from vfi.core import Frame
from vfi.render import convert
from vfi.render.chunks import Chunks
from vfi.tracks.arrays import save_ati, save_wan_move
from vfi.tracks.document import Document, Point, Track
from vfi.tracks.formats import dumps

SIZE = 64, 48
FAST = ("--model", "linear", "--json")
READ_TRACKS, READ_RECIPE = "tracks of the library", "recipe of the library"
"""Commands that are calls of the library: there is no quick command that reads no more than such a file."""


@dataclass(frozen=True)
class Case:
    """A kind of input: a folder of files, of which ``damaged`` is damaged and read by one of ``commands``.

    ``outputs`` are the files that a command may leave beside its input. ``exact``: a successful output is the file ``whole``.
    """

    name: str
    damaged: tuple[str, ...]
    commands: tuple[tuple[str, ...], ...]
    outputs: tuple[str, ...] = ()
    text: bool = False
    exact: bool = False


def videos(name: str) -> Case:
    """A video file, read in every way."""
    into = ("out.mkv", "out.mp4", "out.mov", "out.webm", "out.ts.mkv", "out", "out/%04d.tif")
    plain = tuple(("interpolate", name, out, *FAST, *options(out)) for out in into)
    more = (
        ("interpolate", name, "out.mkv", *FAST, "--codec", "ffv1", "--damaged-ok"),
        ("interpolate", name, "out.mp4", *FAST, "--damaged-ok", "--audio", "drop", "--fps", "50", "--to", "2"),
        ("interpolate", name, "out.mp4", *FAST, "--slow", "2", "--to", "2"),
        ("interpolate", name, "out.mkv", *FAST, "--from", "0.1", "--to", "0.4", "--codec", "ffv1"),
        ("shots", name, "--json", "--damaged-ok"),
        ("retime", name, "out.mkv", *FAST, "--speed", "0:1, 0.2:-1", "--duration", "0.5"),
        ("loop", name, "out.mkv", *FAST, "--codec", "ffv1", "--to", "1"),
    )
    return Case(f"video {name}", (name,), (*plain, *more), ("out.mkv", "out.mp4", "out.mov", "out.webm", "out.ts.mkv", "out"))


def options(out: str) -> tuple[str, ...]:
    return ("--codec", "ffv1") if out == "out.mkv" else ("--crf", "50") if out == "out.webm" else ()


def images(ending: str, *more: str) -> Case:
    """A folder of images."""
    commands = (
        ("interpolate", "in", "out", *FAST, *more),
        ("interpolate", f"in/%06d.{ending}", "out/%04d.exr", *FAST),
        ("interpolate", "in", "out.mkv", *FAST, "--codec", "ffv1"),
        ("tween", f"in/000000.{ending}", f"in/000001.{ending}", "out.mkv", "--frames", "2", *FAST, "--codec", "ffv1"),
    )
    return Case(f"images {ending}", tuple(f"in/00000{k}.{ending}" for k in range(2)), commands, ("out", "out.mkv"))


def tracks(name: str, *, text: bool = True) -> Case:
    drawn = (
        "tween",
        "a.png",
        "b.png",
        "out.mkv",
        "--frames",
        "2",
        "--tracks",
        name,
        "--model",
        "dis",
        "--codec",
        "ffv1",
        "--json",
    )
    return Case(f"tracks {name}", (name,), ((READ_TRACKS, name), (READ_TRACKS, name), drawn), ("out.mkv",), text=text)


RESUMED = ("interpolate", "in.mkv", "out.mkv", *FAST, "--codec", "ffv1", "--resume")
WEIGHED = ("interpolate", "in.mkv", "out.mkv", "--model", "w.safetensors", "--json", "--codec", "ffv1")
CURVED = ("retime", "in.mkv", "out.mkv", "--curve", "curve.json", *FAST, "--codec", "ffv1", "--duration", "0.3")
PLANNED = ("interpolate", "in.mkv", "out.mkv", "--plan", "plan.json", *FAST, "--codec", "ffv1")


def sheet(name: str) -> Case:
    """An exposure sheet, and a folder with two cels of it. It is only listed: what lacks cels has exit codes of its own."""
    listed = ("sheet", name, "--list", *FAST)
    return Case(f"sheet {name}", (name,), (listed, ("sheet", name, "cels", *listed[2:])), text=True)


def layers(name: str) -> Case:
    """The layers of one file as cels."""
    return Case(f"layers {name}", (name,), (("sheet", "cut.xdts", name, "--list", *FAST),))


CASES = (
    *(videos(f"in.{ending}") for ending in ("mp4", "mov", "mkv", "webm", "avi", "ts", "flv", "gif", "apng", "y4m")),
    videos("late.mp4"),
    videos("frames.mkv"),
    *(images(ending) for ending in ("png", "jpg", "webp", "tif")),
    images("exr", "--depth", "32"),
    Case("plan", ("plan.json",), (PLANNED,), ("out.mkv",), text=True),
    *(tracks(f"{form}.json") for form in ("document", "samples", "flat", "store", "framer")),
    *(tracks(name, text=False) for name in ("ati.npz", "track.npy", "ati.pth")),
    *(Case(name, ("curve.json",), (CURVED,), ("out.mkv",), text=True) for name in ("curve", "curve points")),
    *(sheet(name) for name in ("cut.xdts", "cut.csv")),
    *(layers(name) for name in ("cels.ora", "cels.psd")),
    Case("recipe", ("recipe.toml",), ((READ_RECIPE, "recipe.toml"),), text=True),
    Case("safetensors", ("w.safetensors",), (WEIGHED, ("models", "show", "w.safetensors")), ("out.mkv",)),
    Case("pickle", ("w.pth",), (("models", "convert", "w.pth", "out.safetensors"),), ("out.safetensors",)),
    Case("old pickle", ("w.pkl",), (("models", "convert", "w.pkl", "out.safetensors"),), ("out.safetensors",)),
    Case("torchscript", ("w.pt",), (("models", "convert", "w.pt", "out.safetensors"),), ("out.safetensors",)),
    Case("journal", (".out.mkv.work/journal.json",), (RESUMED,), ("out.mkv",), text=True, exact=True),
    Case("chunks", (".out.mkv.work/000000", ".out.mkv.work/000001"), (RESUMED,), ("out.mkv",), exact=True),
)

RATE = Fraction(24)
FRAMES = 8


def build(folder: Path) -> None:
    """Make the files of every case, each in a folder of its name."""
    for case in CASES:
        (folder / case.name).mkdir(parents=True)
    for case, make in zip(CASES, (_maker(case.name) for case in CASES), strict=True):
        make(folder / case.name)


def _maker(name: str) -> Callable[[Path], object]:
    kind, _, rest = name.partition(" ")
    table: dict[str, Callable[[Path], object]] = {
        "video": partial(_video, rest),
        "images": partial(_images, rest),
        "tracks": partial(_tracks, rest),
        "plan": _plan,
        "curve": _curve,
        "sheet": partial(_sheet, rest),
        "layers": partial(_layers, rest),
        "recipe": _recipe,
        "safetensors": _weights,
        "pickle": _weights,
        "old": _weights,
        "torchscript": _weights,
        "journal": _interrupted,
        "chunks": _interrupted,
    }
    return table[kind]


def _video(name: str, folder: Path) -> None:
    path = folder / name
    kind, tick, stamps, sound = path.suffix[1:], 1 / RATE, list(range(FRAMES + 1)), Fraction(1, 3)
    if name == "late.mp4":
        film(path, [5, *range(9, 9 + FRAMES * 3, 3)], tick / 2, sound=sound, size=SIZE)
    elif name == "frames.mkv":
        with create_clip(path, Info(*SIZE, rate=RATE, alpha=True), encoding=Encoding("ffv1")) as writer:
            for frame in moving(FRAMES, alpha=True):
                writer.write(frame)
    elif kind in ("mp4", "mov", "mkv", "ts", "flv"):
        film(path, stamps, tick, sound=sound, size=SIZE)
    elif kind == "avi":
        film(path, stamps, tick, codec="mpeg4", sound=sound, size=SIZE)
    elif kind == "y4m":
        size = SIZE[0] * SIZE[1]
        pictures = (bytes([16 + 4 * k]) * size + bytes([128]) * (size // 2) for k in range(FRAMES))
        path.write_bytes(b"YUV4MPEG2 W64 H48 F24:1 Ip A1:1 C420jpeg\n" + b"".join(b"FRAME\n" + one for one in pictures))
    else:
        codec, layout, options = {
            "webm": ("libvpx-vp9", "yuva420p", {"cpu-used": "8"}),
            "gif": ("gif", "rgb8", {}),
            "apng": ("apng", "rgba", {}),
        }[kind]
        with av.open(str(path), "w", options={"loop": "0"} if kind == "gif" else {}) as out:
            stream = out.add_stream(codec, rate=RATE, options=options)
            stream.width, stream.height, stream.pix_fmt = *SIZE, layout
            for frame in moving(FRAMES, alpha=True):
                assert frame.alpha is not None
                pixels = (torch.cat((frame.rgb, frame.alpha)) * 255).byte().permute(1, 2, 0).contiguous().numpy()
                for packet in stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format=layout)):
                    out.mux(packet)
            out.mux(stream.encode(None))


def _images(ending: str, folder: Path) -> None:
    inside = folder / "in"
    if ending in ("tif", "exr"):
        with create_clip(inside / f"%06d.{ending}", Info(*SIZE, rate=RATE, alpha=ending == "exr")) as writer:
            for frame in moving(2, alpha=ending == "exr"):
                writer.write(frame)
        return
    inside.mkdir()
    for number, frame in enumerate(moving(2)):
        pixels = (frame.rgb * 255).byte().permute(1, 2, 0).contiguous().numpy()
        path = inside / f"{number:06d}.{ending}"
        if ending == "png":
            path.write_bytes(png(pixels, 2))
            continue
        encoder, layout = {"jpg": ("mjpeg", "yuvj420p"), "webp": ("libwebp", "yuv420p")}[ending]
        context = av.CodecContext.create(encoder, "w")
        context.width, context.height, context.pix_fmt, context.time_base = *SIZE, layout, Fraction(1)  # type: ignore[attr-defined]
        picture = av.VideoFrame.from_ndarray(pixels, format="rgb24").reformat(format=layout)
        path.write_bytes(b"".join(map(bytes, (*context.encode(picture), *context.encode(None)))))  # type: ignore[attr-defined]


def _tracks(name: str, folder: Path) -> None:
    points = (Point(5, 6), Point(30, 20, 0.5), Point(50, 40))
    document = Document(SIZE, (Track(points, name="hand", colour="#ff0000"), Track(points[:2], name="foot", colour="#00ff00")))
    form, _, ending = name.partition(".")
    if ending == "json":
        shown = Document(SIZE, document.tracks[:1]) if form == "flat" else document
        (folder / name).write_text(dumps(shown, form, 5 if form in ("samples", "flat") else None))  # type: ignore[arg-type]
    elif ending == "npy":
        save_wan_move(document.sampled(5), folder)
    else:
        save_ati(document.sampled(5), folder / "ati.npz")
        if ending == "pth":
            (folder / name).write_bytes(_torch_saved((folder / "ati.npz").read_bytes(), folder))
            (folder / "ati.npz").unlink()
    for picture, letter in zip(moving(2), "ab", strict=True):
        pixels = (picture.rgb * 255).byte().permute(1, 2, 0).contiguous().numpy()
        (folder / f"{letter}.png").write_bytes(png(pixels, 2))


def _torch_saved(value: object, folder: Path) -> bytes:
    torch.save(value, folder / "saved")
    data = (folder / "saved").read_bytes()
    (folder / "saved").unlink()
    return data


def _small_clip(folder: Path, count: int = FRAMES) -> Path:
    path = folder / "in.mkv"
    with create_clip(path, Info(*SIZE, rate=RATE), encoding=Encoding("ffv1")) as writer:
        for frame in moving(count):
            writer.write(frame)
    return path


def _plan(folder: Path) -> None:
    path = _small_clip(folder)
    assert __main__.main(["shots", str(path), "--plan", str(folder / "plan.json"), "--edit", "+4"]) == 0


def _curve(folder: Path) -> None:
    _small_clip(folder)
    speed = {"speed": [[0, 1], [0.2, "1/4", "ease-in-out"], [0.5, -1]]}
    points = {"points": [[0.0, 0.0], [0.5, 0.25], [1.0, 1.0]], "interpolation": "monotone_cubic"}
    (folder / "curve.json").write_text(json.dumps(points if folder.name == "curve points" else speed))


def _sheet(name: str, folder: Path) -> None:
    entries: dict[int, Any] = {-1: "1", 2: "o", 4: {"id": 0, "values": ["3", "SYMBOL_TICK_1"], "options": []}, 6: "5", 8: "x"}
    table = 'Frame,"A",Dialogue\r\n1,1,"Ann: ""hi"""\r\n2,○,\r\n3,○3,\r\n4,-,\r\n5,5,\r\n'.encode("cp932")
    (folder / name).write_bytes(xdts({"A": entries, "B": {0: "1", 3: "*", 6: "2"}}) if name == "cut.xdts" else table)
    for number in (1, 5):
        cel(folder / "cels" / f"A_{number:04d}.png", 40 * number)


def _layers(name: str, folder: Path) -> None:
    (folder / "cut.xdts").write_bytes(xdts({"A": {0: "1", 2: "o", 4: "5"}}))
    picture = np.full((8, 12, 4), 255)
    groups = [("A", [("1", picture, 0, 0), ("5", picture[:4, :6], 3, 2)])]
    (ora if name.endswith(".ora") else psd)(folder / name, (12, 8), groups)


def _recipe(folder: Path) -> None:
    text = '[data]\nclips = ["a.mp4"]\nsize = 64\nspans = [2, 3]\nstart = "0:01"\n\n[schedule]\nsteps = 10\nrate = 3e-4\n'
    (folder / "recipe.toml").write_text(f'network = "inbetween-s"\nseed = 1\n\n{text}')


class _Held(torch.nn.Module):
    """Weights under their own names, for a TorchScript file."""

    def __init__(self, state: dict[str, torch.Tensor]) -> None:
        super().__init__()
        for name, value in state.items():
            self.register_buffer(name.replace(".", "_"), value)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def _weights(folder: Path) -> None:
    from safetensors.torch import save_file

    torch.manual_seed(0)
    state = inbetween.Inbetween(inbetween.Config((8, 12), (16, 20))).state_dict()
    state = {name: value.contiguous() for name, value in state.items()}
    kind = folder.name
    if kind == "safetensors":
        _small_clip(folder, 3)
        save_file(state, folder / "w.safetensors", {"format": "pt"})
    elif kind == "pickle":
        torch.save({"state_dict": state}, folder / "w.pth")
    elif kind == "torchscript":
        torch.jit.script(_Held(dict(islice(state.items(), 6)))).save(str(folder / "w.pt"))
    else:
        torch.save(dict(islice(state.items(), 6)), folder / "w.pkl", _use_new_zipfile_serialization=False)


def _interrupted(folder: Path) -> None:
    """A clip of which two chunks are finished, and the whole of it for comparison."""
    _small_clip(folder, 20)
    short_chunks()
    command = [str(folder / one) if one in ("in.mkv", "out.mkv") else one for one in RESUMED]
    assert __main__.main(command) == 0
    (folder / "out.mkv").rename(folder / "whole")
    render_frames = convert.render_frames

    def stopping(*given: Any, **how: Any) -> Iterator[Frame]:
        yield from islice(render_frames(*given, **how), 20)
        raise KeyboardInterrupt

    convert.render_frames = stopping  # type: ignore[assignment]
    assert __main__.main(command) == 130
    convert.render_frames = render_frames
    assert (folder / ".out.mkv.work" / "000001").exists()


def short_chunks() -> None:
    """Chunks of eight frames from now on."""
    convert.Chunks = partial(Chunks, length=8)  # type: ignore[assignment, misc]
