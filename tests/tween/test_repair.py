"""Frames drawn anew where they are in doubt: what is touched, and what is not."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from tweening import FRAMES, HEIGHT, WIDTH, apart, coders, controlnet, picture, stored, unet

from vfi.core import InputError
from vfi.tween import edm
from vfi.tween.framer import Drawing, Framer
from vfi.tween.keyframes import SCALE
from vfi.tween.repair import Repair, around, repaired, windows

SMALL = Repair(threshold=0.5, grow=8, frames=5, size=(64, 64))


def marks(text: str) -> list[bool]:
    return [letter == "x" for letter in text]


@pytest.mark.parametrize(
    ("marked", "frames", "expected"),
    [
        ("......", 5, []),
        ("...x...", 3, [(2, 5)]),
        ("...x...", 5, [(1, 6)]),
        ("...x...", 20, [(0, 7)]),
        (".x.....", 5, [(0, 5)]),
        (".....x.", 5, [(2, 7)]),
        (".xxxxx.", 3, [(0, 7)]),
        (".x.x.x.", 3, [(0, 3), (2, 5), (4, 7)]),
        (".x.xx..", 4, [(0, 6)]),
        ("..x......x..", 5, [(0, 5), (7, 12)]),
    ],
)
def test_windows_begin_and_end_with_what_is_trusted(marked, frames, expected):
    assert [(window.start, window.stop) for window in windows(marks(marked), frames)] == expected


@pytest.mark.parametrize("seed", range(30))
def test_windows_hold_all_that_is_marked(seed):
    draw = torch.Generator().manual_seed(seed)
    marked = (torch.rand(40, generator=draw) < 0.3).tolist()
    marked[0] = marked[-1] = False
    done: set[int] = set()
    for window in windows(marked, 7):
        assert len(window) >= 7
        assert window.start >= 0
        assert window.stop <= 40
        assert not marked[window.start] or window.start in done
        assert not marked[window.stop - 1]
        done |= set(window)
    assert {index for index, mark in enumerate(marked) if mark} <= done


@pytest.mark.parametrize(
    ("box", "whole", "corner", "part"),
    [
        ((100, 100, 110, 120), (640, 480), (73, 78), (64, 64)),
        ((0, 0, 10, 10), (640, 480), (0, 0), (64, 64)),
        ((600, 100, 640, 200), (640, 480), (540, 100), (100, 100)),
        ((10, 10, 630, 100), (640, 480), (10, 0), (620, 480)),
        ((10, 10, 20, 20), (48, 40), (0, 0), (40, 40)),
    ],
)
def test_the_part_that_is_drawn_holds_what_is_marked(box, whole, corner, part):
    left, top, right, bottom = box
    marked = torch.zeros(whole[1], whole[0], dtype=torch.bool)
    marked[top:bottom, left:right] = True
    fit = around(marked, (64, 64))
    assert (fit.corner, fit.part, fit.size) == (corner, part, (64, 64))
    assert fit.cut(marked).sum() == marked.sum()


def clip() -> Tensor:
    return torch.rand(9, 3, 96, 128, generator=torch.Generator().manual_seed(0))


def doubt(*places: tuple[int, int, int]) -> Tensor:
    """Of single pixels: frame, row, column."""
    made = torch.zeros(9, 96, 128)
    for frame, row, column in places:
        made[frame, row, column] = 1
    return made


def test_no_pixel_outside_changes():
    seen: list[Tensor] = []

    def redraw(pictures: Tensor, mask: Tensor) -> Tensor:
        assert pictures.shape == (5, 3, 64, 64)
        assert mask.shape == (5, 8, 8)
        assert mask[0].sum() == mask[-1].sum() == 0
        seen.append(mask)
        return torch.full_like(pictures, 2)

    given = clip()
    made = repaired(given, SMALL.shares(doubt((4, 50, 60))), redraw, SMALL)
    changed = (made != given).any(1)
    assert changed.any(2).any(1).tolist() == [False] * 4 + [True] + [False] * 4
    rows, columns = changed[4].nonzero(as_tuple=True)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (42, 58, 52, 68)
    assert made[4, :, 50, 60].tolist() == pytest.approx([2, 2, 2])
    (mask,) = seen
    assert 4 <= mask[2].sum() <= 16
    assert torch.equal(given, clip())


def test_without_doubt_nothing_is_drawn():
    def redraw(pictures: Tensor, mask: Tensor) -> Tensor:
        raise AssertionError

    given = clip()
    ends = doubt((0, 50, 50), (8, 20, 20))  # the first and the last frame have no neighbours on both sides
    assert torch.equal(repaired(given, SMALL.shares(ends), redraw, SMALL), given)
    assert torch.equal(repaired(given, SMALL.shares(0.5 * doubt((4, 50, 50))), redraw, SMALL), given)


def test_what_was_drawn_serves_the_next():
    firsts: list[Tensor] = []

    def redraw(pictures: Tensor, mask: Tensor) -> Tensor:
        firsts.append(pictures[0].mean())
        return torch.ones_like(pictures)

    wide = Repair(0.5, 200, 3, (128, 96))
    made = repaired(clip(), wide.shares(doubt(*((frame, 50, 60) for frame in (1, 3, 5, 7)))), redraw, wide)
    assert len(firsts) == 4
    assert (made[1::2] == 1).all()
    assert torch.equal(made[::2], clip()[::2])


@torch.no_grad()
def test_framer_draws_between_the_neighbours():
    """In latents: what is not drawn anew comes out as it went in, and what is does not."""
    own = coders()
    frames = torch.stack([picture(stored("loop")[key]) for key in ("input.image_u8", "input.image_end_u8")])
    given = torch.lerp(frames[:1], frames[1:], torch.linspace(0, 1, FRAMES).reshape(-1, 1, 1, 1))
    mask = torch.zeros(FRAMES, HEIGHT // 8, WIDTH // 8)
    mask[2, 2:6, 3:9] = 1
    latents = own.encode(given) * SCALE
    steps: list[edm.Step] = []
    framer = Framer(unet(), own, controlnet())
    made = framer.redraw(given, mask, Drawing(steps=3), each=steps.append)
    assert made.shape == given.shape
    drawn = steps[-1].latents[0]
    inside = mask[:, None].expand_as(drawn) > 0
    assert apart(drawn[~inside], latents[~inside]) < 1e-4
    assert apart(drawn[inside], latents[inside]) > 0.1
    nearer = []
    framer.redraw(given, mask, Drawing(steps=3), share=0.2, each=nearer.append)
    assert apart(nearer[-1].latents[0][~inside], latents[~inside]) < 1e-4


def test_other_clips_are_refused():
    with pytest.raises(InputError, match="of 3 frames or more are needed"):
        repaired(clip(), doubt()[:4], lambda pictures, mask: pictures)
    with pytest.raises(InputError, match="threshold of 2"):
        Repair(threshold=2)
    with pytest.raises(InputError, match="at least 0 and 3 are needed"):
        Repair(frames=2)
    with pytest.raises(InputError, match="must be above 0 and at most 1"):
        edm.sigmas(3, 0)
