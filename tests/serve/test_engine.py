"""The backend that runs the model: the library's own frames, whatever it is asked for first."""

from __future__ import annotations

import random
from collections.abc import Callable
from fractions import Fraction as F

import numpy as np
import parity
import pytest
import torch
from safetensors.torch import save_file

import vfi
from tests.drawings import SCENES
from vfi.core import Frame, InputError
from vfi.edit.find import Finder
from vfi.serve import engine
from vfi.serve.engine import Engine
from vfi.serve.maker import Asked, Maker, Mark, Missing, Picture
from vfi.timing.grids import Subdivide


def pictures(
    count: int, size: tuple[int, int] = (36, 64), dtype: type = np.uint8, *, alpha: bool = False
) -> dict[str, Picture]:
    """A rough texture that moves, by name."""
    texture = np.random.default_rng(0).integers(0, 256, (3, 20, 60), np.uint8).repeat(4, 1).repeat(4, 2)
    made = {}
    for n in range(count):
        rgb = texture[:, : size[0], 2 * n : 2 * n + size[1]].copy()
        clear = texture[1:2, : size[0], 3 * n : 3 * n + size[1]].copy() if alpha else None
        if dtype != np.uint8:
            rgb, clear = rgb / dtype(255), None if clear is None else clear / dtype(255)
        made[str(n)] = Picture(rgb, clear)
    return made


def frames(given: dict[str, Picture]) -> list[Frame]:
    return [
        Frame(torch.from_numpy(one.rgb), F(n), F(1), None if one.alpha is None else torch.from_numpy(one.alpha))
        for n, one in enumerate(given.values())
    ]


class Fetch:
    """Gives frames, and remembers which."""

    def __init__(self, given: dict[str, Picture]) -> None:
        self.given, self.names = given, []

    def __call__(self, name: str) -> Picture:
        self.names.append(name)
        return self.given[name]


def same(one: Picture, frame: Frame) -> bool:
    if (one.alpha is None) != (frame.alpha is None):
        return False
    return np.array_equal(one.rgb, frame.rgb.numpy()) and (one.alpha is None or np.array_equal(one.alpha, frame.alpha.numpy()))


@pytest.mark.parametrize("kind", [{}, {"dtype": np.float32}, {"alpha": True}, {"alpha": True, "dtype": np.float32}])
@pytest.mark.parametrize("quality", ["linear", "draft", "normal"])
def test_frames_in_any_order_are_those_of_the_library(kind: dict[str, object], quality: str):
    given = pictures(6, **kind)  # type: ignore[arg-type]
    asked = Asked(model="inbetween-s") if quality == "normal" else Asked(quality=quality)
    network = vfi.load("inbetween-s") if quality == "normal" else vfi.load(quality=quality)
    expected = list(vfi.run(frames(given), network, Subdivide(3)))
    maker = Maker(Engine(asked))
    order = [(n, k) for n in range(5) for k in (1, 2)] * 2
    random.Random(0).shuffle(order)
    for n, k in order:
        (made,) = maker.make((str(n), str(n + 1)), given.__getitem__, [F(k, 3)])
        assert made.rgb.dtype == given["0"].rgb.dtype
        assert same(made, expected[3 * n + k]), (n, k)


@pytest.mark.parametrize("drawing", ["auto", "on", "off"])
def test_drawings_are_kept_as_asked(drawing: str):
    cels = [SCENES["squash"](t).on_paper() for t in (0, 1)]
    given = {str(n): Picture(cel.numpy()) for n, cel in enumerate(cels)}
    (made,) = Maker(Engine(Asked(model="inbetween-s", drawing=drawing))).make(("0", "1"), given.__getitem__, [F(1, 2)])
    clip = [Frame(cel, F(n), F(1)) for n, cel in enumerate(cels)]
    _, expected, *_ = vfi.run(clip, vfi.load("inbetween-s", drawing=drawing), Subdivide(2))
    assert same(made, expected)


def test_a_frame_is_fetched_once_while_a_window_needs_it():
    fetch = Fetch(pictures(8))
    maker = Maker(Engine(Asked(quality="draft")))
    for n in range(7):
        for k in (1, 2, 3):
            maker.make((str(n), str(n + 1)), fetch, [F(k, 4)])
    assert fetch.names == list("01234567")
    maker.make(("5", "6"), fetch, [F(1, 2)])
    assert len(fetch.names) == 8
    maker.make(("0", "1"), fetch, [F(1, 2)])
    assert fetch.names[8:] == ["0", "1"]


def test_only_the_last_windows_are_kept():
    backend = Engine(Asked(quality="draft"))
    maker = Maker(backend)
    for n in range(7):
        maker.make((str(n), str(n + 1)), pictures(8).__getitem__, [F(1, 2)])
    assert len(backend._windows) == engine.WINDOWS
    assert set(backend._frames) == {"3", "4", "5", "6", "7"}
    assert set(backend._seen) == set(backend._frames.values())


def test_identical_frames_are_repeated():
    still = pictures(1)["0"]
    (made,) = Maker(Engine(Asked(quality="draft"))).make(("a", "b"), lambda _: still, [F(1, 3)])
    assert np.array_equal(made.rgb, still.rgb)


@pytest.mark.slow
def test_a_model_of_four_frames(tmp_path):
    path = tmp_path / "four.safetensors"
    save_file(parity.load_set("flavr/flavr_4x").state(), path)
    given = pictures(5, (32, 32))
    maker = Maker(Engine(Asked(model=str(path))))
    assert maker.window == 4
    expected = list(vfi.run(frames(given), vfi.load(path), Subdivide(2)))
    (made,) = maker.make(("1", "2", "3", "4"), given.__getitem__, [F(1, 2)])
    assert same(made, expected[5])
    (first,) = maker.make(("0", "0", "1", "2"), given.__getitem__, [F(1, 2)])
    assert same(first, expected[1])


def test_a_model_that_knows_only_the_middle_gives_the_same_in_any_order(tmp_path):
    path = tmp_path / "half.safetensors"
    save_file(parity.load_set("ifrnet/ifrnet").state(), path)
    given = pictures(3, (32, 32))
    expected = list(vfi.run(frames(given), vfi.load(path), Subdivide(8)))
    maker = Maker(Engine(Asked(model=str(path))))
    for n, k in ((0, 7), (1, 3), (0, 1), (0, 4), (1, 5), (0, 7), (0, 2)):
        (made,) = maker.make((str(n), str(n + 1)), given.__getitem__, [F(k, 8)])
        assert same(made, expected[8 * n + k]), (n, k)


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Asked(model="nope"), "nope"),
        (Asked(quality="super"), "quality"),
        (Asked(tta="most"), "augmentation"),
        (Asked(drawing="maybe"), "'maybe' was given for drawings: give one of auto, on, off"),
        (Asked(device="tpu"), "device"),
        (Asked(model="dis", quality="draft"), "draft"),
    ],
)
def test_options_are_checked_at_once(asked: Asked, words: str):
    with pytest.raises(InputError, match=words):
        Engine(asked)


def test_wrong_requests_are_refused_and_change_nothing():
    backend = Engine(Asked(quality="draft"))
    good = pictures(3)
    odd = Picture(good["0"].rgb[:, :30])
    for window, given, steps in (
        (("0",), good, [F(1, 2)]),
        (("0", "1"), good, []),
        (("0", "1"), good, [F(0)]),
        (("0", "1"), good, [F(1)]),
        (("0", "1"), {"0": good["0"], "1": odd}, [F(1, 2)]),
        (("0", "1"), {"0": good["0"], "1": Picture(good["1"].rgb.astype(np.float32))}, [F(1, 2)]),
        (("0", "1"), {"0": good["0"], "1": Picture(good["1"].rgb[0])}, [F(1, 2)]),
        (("0", "1"), {"0": good["0"], "1": Picture(good["1"].rgb, good["1"].rgb)}, [F(1, 2)]),
    ):
        with pytest.raises(InputError):
            backend.make(window, given, steps)
    assert backend.make(("0", "1"), {}, [F(1, 2)]) == Missing(("0", "1"))


def test_a_backend_that_forgets_what_it_was_given_is_an_error():
    class Forgetful:
        window, alive = 2, True
        marks: Callable[..., list[Mark]]

        def make(self, window, given, steps):
            return Missing(tuple(window))

    with pytest.raises(RuntimeError, match="misses"):
        Maker(Forgetful()).make(("0", "1"), pictures(2).__getitem__, [F(1, 2)])  # type: ignore[arg-type]


def thumbnails(kinds: str, step: int = 4) -> np.ndarray:
    """Pictures of shots called by letters: a letter moves on with each frame, unless it is followed by itself in capitals."""
    textures = {name: np.random.default_rng(ord(name)).integers(0, 256, (3, 18, 90)).repeat(4, 1).repeat(4, 2) for name in "ab"}
    places: list[int] = []
    for kind in kinds:
        places.append((places[-1] if places else 0) + (0 if kind.isupper() else step))
    return np.stack(
        [textures[kind.lower()][:, :, place : place + 128] for kind, place in zip(kinds, places, strict=True)]
    ).astype(np.float32) / np.float32(255)


def test_cuts_and_repeats_are_those_of_the_library():
    backend = Engine(Asked(quality="draft"))
    clip = thumbnails("aAaAaAbBbBbBbB")
    expected = list(Finder("hold", "spread").marks(Frame(torch.from_numpy(one), F(n), F(1)) for n, one in enumerate(clip)))
    found = backend.marks(clip, [None] * len(clip), True, 0.0)
    assert [one.cut for one in found] == [frame.cut is not None for frame in expected] == [n == 6 for n in range(14)]
    assert [one.repeat for one in found] == [frame.repeat for frame in expected] == [n % 2 == 1 for n in range(14)]


def test_what_is_known_of_cuts_is_not_looked_for():
    backend = Engine(Asked(quality="draft"))
    clip = thumbnails("aaaabbbb")
    assert [one.cut for one in backend.marks(clip, [None] * 8, False, 0.0)] == [n == 4 for n in range(8)]
    assert not any(one.cut for one in backend.marks(clip, [False] * 8, False, 0.0))
    assert [one.cut for one in backend.marks(clip, [None, None, True, *[None] * 5], False, 0.0)] == [
        n in (2, 4) for n in range(8)
    ]
    assert not any(one.cut for one in backend.marks(clip, [None] * 8, False, 1.0))


def test_a_cut_is_one_for_the_pair_alone_too():
    """The filter looks around a pair only if this holds; what lies around may deny a cut, as here in a flash."""
    backend = Engine(Asked(quality="draft"))
    flash = thumbnails("aaaaaaaa")
    flash[4] = 1 - (1 - flash[4]) / 8
    for clip in (thumbnails("aaaabbbbaaaabbbb"), thumbnails("aaaaabab", step=9), flash):
        found = backend.marks(clip, [None] * len(clip), False, 0.0)
        for n in range(1, len(clip)):
            (_, alone) = backend.marks(clip[n - 1 : n + 1], [False, None], False, 0.0)
            assert alone.cut >= found[n].cut, n


def test_marks_need_as_many_thumbnails_of_the_right_size():
    backend = Engine(Asked(quality="draft"))
    with pytest.raises(InputError, match="72 x 128"):
        backend.marks(thumbnails("aa"), [None], False, 0.0)
    with pytest.raises(InputError, match="72 x 128"):
        backend.marks(np.zeros((2, 3, 36, 64), np.float32), [None] * 2, False, 0.0)
