"""The loop on a device that is not there: it never waits, and no memory is used before its time."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction as F
from itertools import count

import fake_device
import parity
import pytest
import torch
from fake_device import DEVICE, Missing, Raced, Waited, moved, on, pretended
from networks import SMALL
from torch import Tensor

from vfi.archs import rife
from vfi.core import Frame, Interpolator, Spec
from vfi.model.fast import fast
from vfi.model.tiles import Tiled
from vfi.model.wrappers import Padded, Placed, Tta
from vfi.ops import kinds, packed
from vfi.ops.kinds import Kind
from vfi.render import run as loop
from vfi.render.lanes import Lanes
from vfi.render.run import run
from vfi.timing.grids import Subdivide

FORGOTTEN = {
    "waits of streams": (fake_device.Stream, "wait_event"),
    "waits of the host": (fake_device.Event, "synchronize"),
    "records": (fake_device.On, "record_stream"),
}

KIND = Kind(half=True, border=True, cubic=True, streams=True)


@pytest.fixture(autouse=True)
def same_bits(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The same sums on both: packed weights, of which the device has none, change the last bits, and so do more threads."""
    monkeypatch.setattr(packed, "available", lambda: False)
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def clip(frames: int = 8, *, as_bytes: bool = False, alpha: bool = False) -> list[Frame]:
    pictures = torch.from_numpy(parity.synthetic_frames(50, 60, frames, 1.0))
    pictures[5:6] = pictures[4:5]  # one pair is identical
    if as_bytes:
        pictures = (pictures * 255).to(torch.uint8)
    planes = [torch.full((1, 50, 60), 0.5 + min(k, 4) / 20) if alpha else None for k in range(frames)]
    return [Frame(one, F(k), F(1), plane) for k, (one, plane) in enumerate(zip(pictures, planes, strict=True))]


def network(name: str = "rife") -> torch.nn.Module:
    if name == "rife":
        return fast(rife.build(parity.load_set("rife/rife_v4.22.lite").state()))
    return SMALL[name]()


def ready(net: torch.nn.Module, machine: fake_device.Machine, tta: str = "none") -> Interpolator:
    return Placed(Tiled(Tta(Padded(moved(net, machine)), tta)), DEVICE)


def after_a_warm_up(frames: Iterator[Frame], machine: fake_device.Machine, times: int = 3) -> Iterator[Frame]:
    """The frames; those of the first pairs may wait, for tables that are kept."""
    with machine.waiting():
        first = [next(frames) for _ in range(times + 1)]
    yield from first
    yield from frames


@pytest.mark.parametrize(("as_bytes", "batch"), [(False, 1), (True, 8)])
def test_frames_of_the_host_come_back_without_a_wait(monkeypatch, as_bytes: bool, batch: int):
    frames = clip(as_bytes=as_bytes)
    true = list(run(frames, Placed(Tiled(Padded(network()))), Subdivide(3), batch=batch))
    with pretended(monkeypatch, KIND) as machine:
        model = ready(network(), machine)
        made = list(after_a_warm_up(run(frames, model, Subdivide(3), batch=batch), machine))
        assert [(one.time, one.made) for one in made] == [(one.time, one.made) for one in true]
        for one, other in zip(made, true, strict=True):
            assert one.rgb.device.type == "cpu"
            assert torch.equal(one.rgb, other.rgb)
    assert made[13].rgb is frames[4].rgb  # of the identical pair


@pytest.mark.parametrize("alpha", [False, True])
def test_frames_of_the_device_stay_there_without_a_wait(monkeypatch, alpha: bool):
    true = list(run(clip(alpha=alpha), Placed(Tiled(Padded(network()))), Subdivide(3), batch=2))
    with pretended(monkeypatch, KIND) as machine:
        there = [
            Frame(on(one.rgb, machine), one.time, one.duration, None if one.alpha is None else on(one.alpha, machine))
            for one in clip(alpha=alpha)
        ]
        made = list(after_a_warm_up(run(there, ready(network(), machine), Subdivide(3), batch=2), machine))
        assert made[13].rgb is there[4].rgb
        assert all(torch.equal(one.rgb.inner, other.rgb) for one, other in zip(made, true, strict=True))


@pytest.mark.parametrize("name", [pytest.param("superslomo", marks=pytest.mark.slow), "rife"])
def test_networks_do_not_wait_while_they_make_frames(monkeypatch, name: str):
    with pretended(monkeypatch, KIND) as machine:
        list(after_a_warm_up(run(clip(4), ready(network(name), machine, "flip"), Subdivide(3)), machine))


def test_a_wait_in_a_model_is_found(monkeypatch):
    class Reading(Padded):
        def at(self, prepared, t: Tensor) -> Tensor:
            made = super().at(prepared, t)
            return made if float(made.mean()) > 0 else -made

    with pretended(monkeypatch, KIND) as machine:
        model = Placed(Reading(moved(network(), machine)), DEVICE)
        with pytest.raises(Waited, match="local_scalar"):
            list(after_a_warm_up(run(clip(4), model, Subdivide(3)), machine))


@pytest.mark.parametrize(
    ("forgotten", "message"),
    [
        ("waits of streams", "side 1 may still write"),
        ("waits of the host", "cpu uses memory that side 2 may still write"),
        ("records", "was not recorded there"),
    ],
)
def test_a_copy_that_is_not_waited_for_is_found(monkeypatch, forgotten: str, message: str):
    def careless() -> None:
        with pretended(monkeypatch, KIND) as machine:
            model = ready(network(), machine)
            where, name = FORGOTTEN[forgotten]
            monkeypatch.setattr(where, name, lambda *_: None)
            for frame in after_a_warm_up(run(clip(4), model, Subdivide(2)), machine, 2):
                frame.rgb.sum()

    with pytest.raises(Raced, match=message):
        careless()


def test_memory_that_is_overwritten_while_it_is_copied_is_found(monkeypatch):
    with pretended(monkeypatch, KIND) as machine:
        lanes = Lanes(DEVICE, fake_device.Streams(machine))
        pinned: list[Tensor] = []
        plain = machine.pin
        monkeypatch.setattr(machine, "pin", lambda one, **how: pinned.append(one) or plain(one, **how))
        there = lanes.upload(torch.ones(3, 4, 4))
        with pytest.raises(Raced, match="overwrites memory"):
            pinned[0].zero_()
        lanes.download(there)()


def test_a_caller_that_keeps_its_frames_does_not_keep_pinned_memory(monkeypatch):
    frames = (Frame(torch.full((3, 8, 8), k % 7 / 7), F(k), F(1)) for k in count())
    with pretended(monkeypatch, KIND) as machine:
        stream = run(frames, Placed(SMALL["linear"](), DEVICE), Subdivide(2))
        with machine.waiting():
            kept = [next(stream) for _ in range(4 * loop.PINNED)]
        made = [one for one in kept if one.made]
        held = [fake_device.place(one.rgb) in machine.pinned for one in made]
        assert held == [True] * loop.PINNED + [False] * loop.PINNED


@pytest.mark.parametrize(("room", "batch"), [(None, 8), (10**12, 8), (3 * 300 * 64 * 64 * 4, 3), (0, 1)])
def test_as_many_timesteps_at_once_as_the_memory_of_the_device_holds(monkeypatch, room: int | None, batch: int):
    monkeypatch.setattr(loop.devices, "room", lambda device: room)
    model = SMALL["linear"]()
    model.spec = Spec("linear", activations=300)
    monkeypatch.setitem(kinds.KINDS, fake_device.KIND, KIND)
    assert loop.batch_for(Placed(model, DEVICE), (64, 64)) == batch
    assert loop.batch_for(Placed(model, "cpu"), (64, 64)) == 1
    assert loop.batch_for(model, (64, 64)) == 1


@pytest.mark.parametrize("name", ["ifrnet", "rife"])
def test_networks_run_without_border_padding_and_float64(monkeypatch, name: str):
    with pretended(monkeypatch, Kind(double=False), double=False, border=False) as machine, machine.waiting():
        model = ready(network(name), machine)
        made = [one.rgb for one in run(clip(2), model, Subdivide(2))]
    true = [one.rgb for one in run(clip(2), Placed(Tiled(Padded(network(name)))), Subdivide(2))]
    torch.testing.assert_close(made[1], true[1], rtol=0, atol=1e-5)


def test_a_device_that_lacks_border_padding_or_float64_says_so_here(monkeypatch):
    with pretended(monkeypatch, Kind(), double=False, border=False) as machine:
        picture, grid = on(torch.rand(1, 3, 4, 4), machine), on(torch.rand(1, 4, 4, 2), machine)
        with pytest.raises(Missing, match="border"):
            torch.nn.functional.grid_sample(picture, grid, padding_mode="border", align_corners=True)
        with pytest.raises(Missing, match="float64"):
            picture.double()
