"""Cuts are found and nothing else is taken for one: on real clips, and on clips made to mislead."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import pytest
import torch
from torch import Tensor

from vfi.clips.open import open_clip
from vfi.core import Frame
from vfi.edit.shots import AHEAD, Found, shots
from vfi.render.run import frames_of_tensor

CLIPS = Path(__file__).parents[1] / "data" / "clips"
CUT = Path(__file__).parents[2] / "examples" / "cut-25fps.mp4"


def scene(seed: int, count: int, speed: int = 3) -> list[Tensor]:
    """A pan over a picture of its own, [3,54,96] each."""
    coarse = torch.rand((1, 3, 9, 24), generator=torch.Generator().manual_seed(seed))
    wide = torch.nn.functional.interpolate(coarse, (54, 384), mode="nearest")[0]
    return [wide[:, :, speed * k : speed * k + 96] for k in range(count)]


WHITE, BLACK = torch.ones(3, 54, 96), torch.zeros(3, 54, 96)


def look(pictures: list[Tensor]) -> tuple[list[int], list[tuple[str, int, int]]]:
    """Where shots begin by the marks, and what else is found."""
    found: list[Found] = []
    marked = list(shots(frames_of_tensor(torch.stack(pictures), F(24)), "hold", found))
    assert [frame.time for frame in marked] == [F(k, 24) for k in range(len(pictures))]
    assert all(torch.equal(frame.rgb, picture) for frame, picture in zip(marked, pictures, strict=True))
    cuts = [k for k, frame in enumerate(marked) if frame.cut]
    assert cuts == [one.frame for one in found if one.kind == "cut"]
    return cuts, [(one.kind, one.frame, one.frames) for one in found if one.kind != "cut"]


@pytest.mark.parametrize(
    ("clip", "cuts", "others"),
    [
        (CUT, [F(24, 25)], []),
        (CLIPS / "fade_through_black.mp4", [], ["fade"]),
        (CLIPS / "on_twos_24fps.mp4", [], []),
        (CLIPS / "on_mixed_holds_24fps.mp4", [], []),
        (CLIPS / "natural_dups_wan16_in_30fps.mp4", [], []),
    ],
    ids=lambda value: value.stem if isinstance(value, Path) else "",
)
def test_real_clips(clip: Path, cuts: list[F], others: list[str]):
    found: list[Found] = []
    marked = list(shots(open_clip(clip), "blend", found))
    assert [frame.time for frame in marked if frame.cut == "blend"] == cuts
    assert [one.time for one in found if one.kind == "cut"] == cuts
    assert [one.kind for one in found if one.kind != "cut"] == others


a, b, c, d, e = (scene(seed, 12) for seed in range(5))


def captioned(pictures: list[Tensor], top: int = 14) -> list[Tensor]:
    """Between bars, with a caption over the lower one."""
    made = [one.clone() for one in pictures]
    for one in made:
        one[:, :top], one[:, -top:] = 0, 0
        one[:, -8:-4, 8:88:3] = 1
    return made


def titled(pictures: list[Tensor]) -> list[Tensor]:
    """A still picture, over which a title stands from the middle on."""
    made = [pictures[0].clone() for _ in pictures]
    for one in made[len(made) // 2 :]:
        one[:, 40:50, 10:86] = e[0][:, 40:50, 10:86].flip(1)
    return made


CUTS = {
    "between bars": (captioned(a + b + a[::-1]), [12, 24]),
    "a title": (titled(a), []),
    "plain": (a + b, [12]),
    "first pair": (a[:1] + b, [1]),
    "last pair": (a + b[:1], [12]),
    "two frames": (a[:1] + b[:1], [1]),
    "one frame": (a[:6] + b[:1] + c[:6], [6, 7]),
    "two of one frame": (a[:6] + b[:1] + c[:1] + d[:6], [6, 7, 8]),
    "three apart": (a[:4] + b[:3] + c[:3] + d[:3] + e[:3], [4, 7, 10, 13]),
    "still": ([a[0]] * 8 + [b[0]] * 8, [8]),
    "dark": ([one * 0.2 for one in a] + [one * 0.2 for one in b], [12]),
    "on fours": ([one for one in a[:4] for _ in range(4)] + [one for one in b[:4] for _ in range(4)], [16]),
    "by way of black": (a + [BLACK] * 4 + b, [12, 16]),
    "insert": (a[:6] + b[:1] + a[6:], [6, 7]),
}


@pytest.mark.parametrize(("pictures", "cuts"), CUTS.values(), ids=CUTS)
def test_cuts_are_found(pictures: list[Tensor], cuts: list[int]):
    assert look(pictures) == (cuts, [])


@pytest.mark.parametrize("length", [3, 6, 12])
@pytest.mark.parametrize("through", [BLACK, WHITE], ids=["black", "white"])
def test_fades_are_no_cuts(length: int, through: Tensor):
    weights = [(k + 1) / length for k in range(length)]
    out = [torch.lerp(a[0], through, weight) for weight in weights]
    back = [torch.lerp(b[0], through, weight) for weight in reversed(weights)]
    cuts, others = look([*[a[0]] * 4, *out, through, *back, *[b[0]] * 4])
    assert cuts == []
    assert [kind for kind, _, _ in others] == ["fade"]


def test_a_clip_that_fades_in_and_out_fades_twice():
    weights = [0, 0, 0.25, 0.5, 0.75, 1, 1, 1, 1, 0.75, 0.5, 0.25, 0, 0]
    assert look([a[0] * weight for weight in weights]) == ([], [("fade", 0, 2), ("fade", 12, 2)])


@pytest.mark.parametrize("frames", [1, 2])
@pytest.mark.parametrize("light", [WHITE, BLACK], ids=["bright", "dark"])
@pytest.mark.parametrize("strength", [0.9, 1.0])
def test_flashes_are_no_cuts(frames: int, light: Tensor, strength: float):
    lit = [torch.lerp(one, light, strength) for one in a[5 : 5 + frames]]
    assert look([*a[:5], *lit, *a[5 + frames :]]) == ([], [("flash", 5, frames)])


@pytest.mark.parametrize(
    "pictures",
    [
        [a[0]] * 12,
        scene(7, 20, speed=14),
        [one for one in scene(8, 6, speed=10) for _ in range(3)],
        list(torch.rand((12, 3, 54, 96), generator=torch.Generator().manual_seed(9))),
        [*a[:6], *(one * 0.4 for one in a[6:])],
        [torch.lerp(one, other, k / 7) for k, (one, other) in enumerate(zip(a[:8], b[:8], strict=True))],
        a[:1],
    ],
    ids=["still", "fast pan", "on threes", "noise", "light goes out", "dissolve", "one frame"],
)
def test_nothing_is_invented(pictures: list[Tensor]):
    assert look(pictures) == ([], [])


def test_what_is_found_is_told_even_where_nothing_is_marked():
    found: list[Found] = []
    marked = list(shots(frames_of_tensor(torch.stack(a + b), F(24)), None, found))
    assert [frame.cut for frame in marked] == [None] * 24
    assert [(one.kind, one.time, one.frame) for one in found] == [("cut", F(12, 24), 12)]
    assert 0.3 < found[0].score <= 1


def test_marks_that_are_there_stay():
    frames = [Frame(one, F(k), F(1), cut="blend" if k == 5 else None) for k, one in enumerate(a + b)]
    assert [frame.cut for frame in shots(frames, "hold")] == [None] * 5 + ["blend"] + [None] * 6 + ["hold"] + [None] * 11


def test_few_frames_are_held():
    taken = 0

    def counted():
        nonlocal taken
        for frame in frames_of_tensor(torch.stack(a), F(24)):
            taken += 1
            yield frame

    for given, _ in enumerate(shots(counted()), start=1):
        assert taken <= given + AHEAD


def test_frames_that_do_not_jump_pass_at_once():
    taken = 0

    def counted():
        nonlocal taken
        for frame in frames_of_tensor(torch.stack(a[:3] + b[:6]), F(24)):
            taken += 1
            yield frame

    waits = [taken - given for given, _ in enumerate(shots(counted()), start=1)]
    assert waits[:3] == [0, 0, 0]
    assert waits[3] == AHEAD  # the cut


def test_what_passes_at_once_changes_nothing(monkeypatch: pytest.MonkeyPatch):
    black, white = torch.zeros_like(a[0]), torch.ones_like(a[0])
    fade = [a[0] * share / 8 for share in range(8, -1, -1)]
    clips = (
        a + b,
        [*a[:6], white, *a[6:12], *b],
        a[:5] + b[:2] + a[7:12],
        fade + [black] * 3 + fade[::-1] + b,
        [frame for pair in zip(a, b, strict=True) for frame in pair],
        a[:4] + b[:1] + a[5:8] + b[:4] + [black] + a,
    )

    def found(clip: list[Tensor]):
        events: list[Found] = []
        return [frame.cut for frame in shots(frames_of_tensor(torch.stack(clip), F(24)), "hold", events)], events

    early = [found(clip) for clip in clips]
    monkeypatch.setattr("vfi.edit.shots._Look.sees_no_jump", lambda look: False)
    assert [found(clip) for clip in clips] == early
    assert any(cuts.count("hold") > 1 for cuts, _ in early)


def test_no_frames_are_no_shots():
    assert list(shots([])) == []
