"""Where keyframes lie in a clip."""

from __future__ import annotations

from fractions import Fraction

import pytest

from vfi.core import InputError
from vfi.tween.places import Place, Span, distinct, snapped

CLIP = Span(81, Fraction(16))


def frames(span: Span, text: str, count: int) -> list[int]:
    return [place.frame for place in span.places(text, count)]


@pytest.mark.parametrize(
    ("text", "placed"),
    [
        ("0, 24, 48", [0, 24, 48]),
        ("0 24;-1\n", [0, 24, 80]),
        ("+5 -81", [5, 0]),
        ("48, 0", [48, 0]),  # keyframes keep their order, whatever their places
        ("0s, 1.5s, 5.s", [0, 24, 80]),
        (".5s", [8]),
        ("0.03s", [0]),  # 0.48 of a frame
        ("0.03125s", [1]),  # half a frame
    ],
)
def test_frames_and_times_that_are_listed(text, placed):
    assert frames(CLIP, text, len(placed)) == placed


@pytest.mark.parametrize(
    ("before", "after", "count", "placed"),
    [
        (0, 0, 1, [0]),
        (0, 0, 2, [0, 80]),
        (0, 0, 4, [0, 27, 53, 80]),
        (9, 0, 1, [80]),
        (9, 0, 2, [44, 80]),
        (0, 9, 1, [0]),
        (0, 9, 2, [0, 36]),
        (9, 9, 1, [40]),
        (1, 1, 3, [20, 40, 60]),
        (0, 0, 0, []),
    ],
)
def test_even_spacing_counts_known_frames_as_keyframes(before, after, count, placed):
    assert frames(Span(81, Fraction(16), before, after), "even", count) == placed
    assert frames(Span(81, Fraction(16), before, after), " EVEN ", count) == placed


def test_as_many_keyframes_as_there_is_room_for_fit():
    for before in range(4):
        for after in range(4):
            span = Span(13, Fraction(16), before, after)
            for count in range(13 - before - after + 1):
                placed = frames(span, "even", count)
                assert len(set(placed)) == count
                assert all(before <= frame < 13 - after for frame in placed)


@pytest.mark.parametrize(
    ("text", "count", "said"),
    [
        ("0, 24", 3, "the number of places is 2, and that of keyframes 3"),
        ("", 2, "the number of places is 0"),
        ("0, x", 2, "'x' is not a place"),
        ("even, 3", 2, "'even' is not a place"),
        ("1.5, 2", 2, "'1.5' is not a place"),
        ("-1s, 2", 2, "'-1s' is not a place"),
        ("٣, 2", 2, "is not a place"),
        ("0, 81", 2, "the place 81 was given: a clip of 81 frames has 0 to 80, or -81 to -1 from its end"),
        ("0, -82", 2, "the place -82 was given"),
        ("0, 999999999999s", 2, "is not a place"),
        ("0, 99999999s", 2, "the place 99999999s was given"),
        ("24, 24", 2, "keyframes 1 and 2 both fall on frame 24"),
        ("24, 3, -57", 3, "keyframes 1 and 3 both fall on frame 24"),
        ("24, 1.51s", 2, "keyframes 1 and 2 both fall on frame 24"),
    ],
)
def test_bad_places_are_refused_in_a_sentence(text, count, said):
    with pytest.raises(InputError, match=said):
        CLIP.places(text, count)


def test_frames_that_a_clip_fills_are_not_free():
    span = Span(81, Fraction(16), before=9, after=4)
    assert frames(span, "9, 76", 2) == [9, 76]
    for text in ("8", "77", "-1"):
        with pytest.raises(InputError, match="frames 9 to 76 are free"):
            span.places(text, 1)
    with pytest.raises(InputError, match="the number of keyframes is 3, and that of free frames 2"):
        Span(5, Fraction(16), before=2, after=1).places("even", 3)


def test_alignment_says_how_far_a_place_is_from_the_wish():
    span = Span(97, Fraction(25))
    aligned = snapped(span.places("0, 22, 1.1s, -1", 4), 8)
    assert [place.frame for place in aligned] == [0, 24, 32, 96]
    assert [place.words(span.rate) for place in aligned] == [
        "frame 0, at 0.000 s",
        "frame 24, at 0.960 s: 2 frames later than asked",
        "frame 32, at 1.280 s: 4.5 frames later than asked",
        "frame 96, at 3.840 s",
    ]
    with pytest.raises(InputError, match="keyframes 1 and 2 both fall on frame 24"):
        snapped(span.places("22, 25", 2), 8)


def test_distinct_places_are_left_as_they_are():
    places = [Place(3, Fraction(3)), Place(1, Fraction(1))]
    assert distinct(places) == places
