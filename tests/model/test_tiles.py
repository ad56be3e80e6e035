"""Memory that runs out: fewer timesteps, then tiles, and the same picture."""

from __future__ import annotations

import logging
from fractions import Fraction as F
from itertools import pairwise

import pytest
import torch
from models import Blend, Encoding, Shift
from torch import Tensor

from vfi.core import InputError
from vfi.model import tiles
from vfi.model.load import Part
from vfi.model.tiles import OVERLAP, Tiled
from vfi.model.wrappers import Placed
from vfi.render.run import frames_of_tensor, interpolate, run
from vfi.timing.grids import Subdivide


class Small:
    """Mixed into a model: refuses to make, or to encode, more than ``room`` pixels, as torch does; counts what it made."""

    room = 0
    refusal: RuntimeError = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 8 GiB")
    encodes = False

    def __call__(self, window: Tensor, t: Tensor) -> Tensor:
        return self._fits(super().__call__(window, t))  # type: ignore[misc]

    def at(self, prepared: Tensor, t: Tensor) -> Tensor:
        return self._fits(super().at(prepared, t))  # type: ignore[misc]

    def encode(self, rgb: Tensor) -> Tensor:
        return self._fits(super().encode(rgb)) if self.encodes else super().encode(rgb)  # type: ignore[misc]

    def _fits(self, made: Tensor) -> Tensor:
        if made[:, 0].numel() > self.room:
            raise self.refusal
        return made


class SmallBlend(Small, Blend):
    def at(self, prepared: Tensor, t: Tensor) -> Tensor:
        return self(prepared, t)

    prepare = staticmethod(lambda features, frames: torch.stack(tuple(frames), 1))
    encode = staticmethod(lambda rgb: None)


class SmallEncoding(Small, Encoding): ...


class SmallShift(Small, Shift): ...


def clip(height: int = 300, width: int = 420, channels: int = 3) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.rand(3, channels, height, width, generator=generator)


def small(kind: type, room: int, *args, **given):
    model = kind(*args)
    model.room = room
    for name, value in given.items():
        setattr(model, name, value)
    return model


@pytest.mark.parametrize("kind", [SmallBlend, SmallEncoding])
def test_with_room_for_all_nothing_is_cut(kind: type):
    model = small(kind, 10**9)
    assert torch.equal(interpolate(clip(), Tiled(model), 4, batch=3), interpolate(clip(), Blend(), 4, batch=3))
    assert model.calls == 2


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("room", [126_000 * 2, 126_000, 125_999, 60_000, 51_000])
@pytest.mark.parametrize(("kind", "encodes"), [(SmallBlend, False), (SmallEncoding, False), (SmallEncoding, True)])
def test_the_frames_are_the_same_however_little_room_there_is(kind: type, encodes: bool, room: int, batch: int):
    made = interpolate(clip(), Placed(Tiled(small(kind, room, encodes=encodes), 32)), 4, batch=batch)
    torch.testing.assert_close(made, interpolate(clip(), Blend(), 4), atol=1e-6, rtol=0)


@pytest.mark.parametrize(
    "message",
    [
        "[enforce fail at alloc_cpu.cpp:124] err == 0. DefaultCPUAllocator: can't allocate memory: you tried to allocate 9",
        "[enforce fail at alloc_cpu.cpp:121] data. DefaultCPUAllocator: not enough memory: you tried to allocate 9",
        "MPS backend out of memory (MPS allocated: 1 GB)",
    ],
)
def test_every_way_of_saying_it_counts(message: str):
    model = small(SmallBlend, 60_000, refusal=RuntimeError(message))
    torch.testing.assert_close(interpolate(clip(), Tiled(model), 2), interpolate(clip(), Blend(), 2), atol=1e-6, rtol=0)


def test_other_errors_come_out():
    model = small(SmallBlend, 60_000, refusal=RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="mat1"):
        interpolate(clip(), Tiled(model), 2)


def test_what_was_found_is_remembered_and_said_once(caplog: pytest.LogCaptureFixture):
    model = small(SmallBlend, 70_000)
    with caplog.at_level(logging.WARNING):
        list(run(frames_of_tensor(clip(), F(1)), Tiled(model, 16), Subdivide(4), batch=3))
    assert [record.getMessage() for record in caplog.records] == [
        "memory ran out with 3 frames at once: 1 at once from here on",
        "memory ran out at 420x300 pixels: frames are made in tiles of 272x300 from here on",
        "memory ran out at 272x300 pixels: frames are made in tiles of 272x208 from here on",
    ]
    assert model.calls == 3 + 2 * 3 * 4


@pytest.mark.parametrize(("multiple", "sides"), [(1, {258}), (64, {320})])
def test_sides_of_tiles_suit_the_network(multiple: int, sides: set[int], monkeypatch: pytest.MonkeyPatch):
    seen: list[tuple[int, ...]] = []
    model = small(SmallBlend, 300 * 419)
    monkeypatch.setattr(model, "_fits", lambda made, fits=model._fits: seen.append(tuple(made.shape[-2:])) or fits(made))
    interpolate(clip(), Tiled(model, multiple), 2)
    assert {width for _, width in seen[1:]} == sides
    assert {height for height, _ in seen} == {300}


@pytest.mark.parametrize(("side", "size"), [(300, 300), (420, 258), (720, 304), (720, 384), (1000, 256), (997, 250)])
def test_pieces_cover_a_side_overlap_and_weigh_one(side: int, size: int):
    pieces = tiles._spread(side, size, torch.device("cpu"))
    total = torch.zeros(side)
    for start, weight in pieces:
        assert len(weight) == size
        assert weight.min() > 0
        total[start : start + size] += weight
    torch.testing.assert_close(total, torch.ones(side))
    starts = [start for start, _ in pieces]
    assert starts[0] == 0
    assert starts[-1] + size == side
    assert all(before + size - after >= OVERLAP for before, after in pairwise(starts))


def test_motion_is_put_together_too():
    rgba = clip(channels=4)
    whole, cut = interpolate(rgba, Shift(4), 2), interpolate(rgba, Tiled(small(SmallShift, 60_000, 4)), 2)
    torch.testing.assert_close(cut, whole, atol=1e-4, rtol=0)


def test_each_window_of_a_batch_keeps_its_timestep():
    windows, t = torch.stack((clip()[:2], clip()[1:])), torch.tensor([0.25, 0.5])
    made = Tiled(small(SmallBlend, 150_000))(windows, t)
    torch.testing.assert_close(made, Blend()(windows, t), atol=1e-6, rtol=0)


def test_smaller_frames_are_whole_again():
    model = Tiled(small(SmallBlend, 60_000))
    interpolate(clip(), model, 2)
    assert torch.equal(interpolate(clip(100, 200), model, 2), interpolate(clip(100, 200), Blend(), 2))


@pytest.mark.parametrize(("room", "cuttable"), [(1000, True), (60_000, False)])
def test_where_nothing_helps_a_sentence_says_so(room: int, cuttable: bool):
    model = small(SmallBlend, room)
    model.spec = type(model.spec)("blend", tiles=cuttable)
    with pytest.raises(
        InputError, match=r"blend ran out of memory at \d+x\d+ pixels of a frame of 420x300: use smaller frames"
    ):
        interpolate(clip(), Tiled(model), 2)


def test_every_model_that_is_ready_gives_way(monkeypatch: pytest.MonkeyPatch):
    network = small(SmallEncoding, 90_000)
    made = interpolate(clip(), Part(network, tta="flip").ready(), 2)
    torch.testing.assert_close(made, interpolate(clip(), Blend(), 2), atol=1e-6, rtol=0)
