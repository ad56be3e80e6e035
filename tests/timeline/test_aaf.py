"""AAF: read exactly, and written as other formats. Needs pyaaf2, the extra 'editors'."""

from __future__ import annotations

import builtins
import json
import random
import uuid
from collections.abc import Callable, Sequence
from fractions import Fraction as F
from math import floor
from pathlib import Path
from typing import Any

import pytest

from vfi.core import InputError
from vfi.timeline.aaf import AafTimeline, natural_spline, read_aaf
from vfi.timeline.clip import NewMedia

DATA = Path(__file__).parent.parent / "data" / "timelines"
SAMPLES = ("linear_speed_effects.aaf", "misc_speed_effects.aaf")


@pytest.fixture(scope="module")
def aaf2() -> Any:
    return pytest.importorskip("aaf2")


def timecode_frames(timeline: AafTimeline) -> list[list[int]]:
    """The frames that an editor shows, as their timecode counts them."""
    return [[floor((clip.place(k) + clip.origin) * clip.rate) for k in range(clip.frames)] for clip in timeline.clips]


@pytest.mark.parametrize("name", SAMPLES)
def test_avid_shows_these_frames(name: str, aaf2: Any):
    timeline = read_aaf(DATA / name)
    shown = json.loads((DATA / f"{name}.avid.json").read_text())["shown"]
    assert not timeline.left
    found = timecode_frames(timeline)
    assert [mine for mine, avid in zip(found, shown, strict=True) if avid is not None] == [
        avid for avid in shown if avid is not None
    ]


def test_avid_shows_122_frames(aaf2: Any):
    known = [json.loads((DATA / f"{name}.avid.json").read_text())["shown"] for name in SAMPLES]
    assert sum(len(frames) for shown in known for frames in shown if frames) == 122


def test_the_media_is_the_original_file_and_its_first_frame_is_0(aaf2: Any):
    clip = read_aaf(DATA / "misc_speed_effects.aaf").clips[8]
    assert clip.media == "/reverb/Users/joshm/Desktop/DemoClips/Frame Debugger 1h.mov"
    assert [clip.place(k) * 24 for k in range(8)] == list(range(31, 23, -1))
    assert (clip.origin, clip.media_rate, clip.by_timecode) == (3600, 24, False)


def test_an_exact_spline_has_no_bend_at_its_ends_and_is_smooth():
    points = [(F(0), F(0)), (F(4), F(45, 8)), (F(11), F(75, 8)), (F(15), F(15))]
    spline = natural_spline(points)
    assert [spline.at(time) for time, _ in points] == [value for _, value in points]
    widths = [F(4), F(7), F(4)]
    slopes = [
        (piece[1] / w, (piece[1] + 2 * piece[2] + 3 * piece[3]) / w) for piece, w in zip(spline.pieces, widths, strict=True)
    ]
    bends = [
        (2 * piece[2] / w**2, (2 * piece[2] + 6 * piece[3]) / w**2) for piece, w in zip(spline.pieces, widths, strict=True)
    ]
    assert slopes[0][1] == slopes[1][0]
    assert slopes[1][1] == slopes[2][0]
    assert (bends[0][0], bends[0][1], bends[1][1], bends[2][1]) == (0, bends[1][0], bends[2][0], 0)
    assert natural_spline(points[:2]).at(F(1)) == F(45, 32)


def test_a_curve_has_a_bound():
    with pytest.raises(InputError, match="at most 200"):
        natural_spline([(F(k), F(k)) for k in range(201)])


def test_without_pyaaf2_the_extra_is_named(monkeypatch: pytest.MonkeyPatch):
    found = builtins.__import__

    def missing(name: str, *given: Any, **how: Any) -> Any:
        if name.startswith("aaf2"):
            raise ImportError("No module named 'aaf2'")
        return found(name, *given, **how)

    monkeypatch.setattr(builtins, "__import__", missing)
    with pytest.raises(InputError, match=r"^an AAF needs pyaaf2, the extra 'editors': No module named 'aaf2'$"):
        read_aaf(DATA / SAMPLES[0])


@pytest.mark.parametrize("size", [0, 3, 512, 5000, 100_000, 400_000])
def test_damaged_files_are_refused_in_a_sentence(size: int, tmp_path: Path, aaf2: Any):
    data = (DATA / SAMPLES[1]).read_bytes()
    (tmp_path / "cut.aaf").write_bytes(data[:size])
    with pytest.raises(InputError, match=r"^cut\.aaf is not an AAF that can be read: "):
        read_aaf(tmp_path / "cut.aaf")


@pytest.mark.parametrize("seed", range(12))
def test_scrambled_files_are_read_or_refused(seed: int, tmp_path: Path, aaf2: Any):
    dice = random.Random(seed)
    data = bytearray((DATA / SAMPLES[1]).read_bytes())
    for _ in range(300):
        data[dice.randrange(len(data))] = dice.randrange(256)
    (tmp_path / "s.aaf").write_bytes(data)
    message = ""
    try:
        read_aaf(tmp_path / "s.aaf")
    except InputError as error:
        message = str(error)
    assert not message or message.startswith("s.aaf ")


Build = Callable[[Any, Any], list[Any]]


@pytest.fixture
def made(tmp_path: Path, aaf2: Any) -> Callable[..., AafTimeline]:
    """Writes an AAF whose track holds what ``build(file, clip)`` gives, and reads it; ``clip(start, length)`` is media."""

    def write(
        build: Build,
        rate: int = 24,
        locator: str = "file:///m/a%20b.mov",
        tape: int | None = None,
        original: str = "",
        reel_length: int = 10_000,
        layers: Sequence[list[Any]] = (),
        usage: str = "Usage_TopLevel",
    ) -> AafTimeline:
        path = tmp_path / "made.aaf"
        with aaf2.open(str(path), "w") as file:
            source = file.create.SourceMob("file")
            file.content.mobs.append(source)
            slot = source.create_empty_slot(rate, "picture", 1)
            descriptor = file.create.ImportDescriptor()
            if locator:
                network = file.create.NetworkLocator()
                network["URLString"].value = locator
                descriptor["Locator"].append(network)
            source.descriptor = descriptor
            origin = file.create.SourceMob("tape")
            file.content.mobs.append(origin)
            origin.descriptor = file.create.ImportDescriptor() if original else file.create.TapeDescriptor()
            if original:
                network = file.create.NetworkLocator()
                network["URLString"].value = original
                origin.descriptor["Locator"].append(network)
            reel = origin.create_empty_slot(rate, "picture", 1)
            reel.segment.length = reel_length
            if tape is not None:
                code = origin.create_timecode_slot(rate, rate)
                code.segment.start, code.segment.length = tape, 10_000
                slot.segment = origin.create_source_clip(1, 100, 500, "picture")
            slot.segment.length = 500
            master = file.create.MasterMob("shot")
            file.content.mobs.append(master)
            kept = master.create_timeline_slot(rate, 1)
            kept.segment = source.create_source_clip(1, 0, 500, "picture")
            top = file.create.CompositionMob("edit")
            top.usage = usage
            file.content.mobs.append(top)
            pictures = top.create_timeline_slot(rate)

            def clip(start: int, length: int) -> Any:
                return master.create_source_clip(1, start, length, "picture")

            def filled(parts: list[Any]) -> Any:
                sequence = file.create.Sequence("picture")
                sequence.length = sum(part.length or 0 for part in parts)
                for part in parts:
                    sequence.components.append(part)
                return sequence

            below = filled(build(file, clip))
            above = [filled([filler(file, 4) if one is None else clip(*one) for one in layer]) for layer in layers]
            if above:
                pictures.segment = file.create.NestedScope("picture")
                pictures.segment.length = below.length
                for one in (below, *above):
                    pictures.segment.slots.append(one)
            else:
                pictures.segment = below
        return read_aaf(path)

    return write


def filler(file: Any, length: int) -> Any:
    return file.create.Filler("picture", length)


def test_positions_and_gaps(made: Callable[..., AafTimeline]):
    timeline = made(lambda file, clip: [filler(file, 10), clip(5, 20), filler(file, 3), clip(40, 8)])
    assert [(one.begin, one.frames) for one in timeline.composition.placed] == [(10, 20), (33, 8)]
    assert [clip.place(0) * 24 for clip in timeline.clips] == [5, 40]
    assert timeline.clips[0].media == "/m/a b.mov"
    assert timeline.clips[0].name == "shot"


def test_the_timecode_of_the_tape_is_counted_but_the_file_begins_at_0(made: Callable[..., AafTimeline]):
    clip = made(lambda file, clip: [clip(5, 20)], tape=86400).clips[0]
    assert (clip.place(0) * 24, clip.origin * 24, clip.by_timecode) == (5, 86500, False)


def test_the_original_file_is_taken_from_where_it_was_imported(made: Callable[..., AafTimeline]):
    clip = made(lambda file, clip: [clip(5, 20)], tape=86400, original="file:///o/c.mov").clips[0]
    assert (clip.media, clip.place(0) * 24, clip.origin * 24, clip.by_timecode) == ("/o/c.mov", 105, 86400, False)


def test_an_original_file_that_is_counted_by_the_time_of_day_is_found_by_timecode(made: Callable[..., AafTimeline]):
    clip = made(lambda file, clip: [clip(5, 20)], tape=0, original="file:///o/c.mov", reel_length=10_368_000).clips[0]
    assert (clip.media, clip.place(0) * 24, clip.by_timecode) == ("/o/c.mov", 105, True)


def test_a_tape_without_a_file_is_found_by_timecode(made: Callable[..., AafTimeline]):
    clip = made(lambda file, clip: [clip(5, 20)], locator="", tape=86400).clips[0]
    assert (clip.place(0) * 24, clip.media, clip.by_timecode) == (86505, "tape", True)


def test_neighbours_of_a_transition_are_left_and_it_overlaps_them(made: Callable[..., AafTimeline], aaf2: Any):
    def build(file: Any, clip: Any) -> list[Any]:
        blend = file.create.Transition()
        blend.media_kind, blend.length, blend["CutPoint"].value = "picture", 6, 3
        blend["OperationGroup"].value = grouped(file, clip(0, 6), "Dissolve", False)
        return [clip(0, 20), blend, clip(50, 20), clip(90, 10)]

    timeline = made(build)
    assert [(one.begin, one.frames) for one in timeline.composition.placed] == [(0, 20), (14, 20), (34, 10)]
    assert [left.reason for left in timeline.left] == ["it stands beside a transition"] * 2
    assert [clip.place(0) * 24 for clip in timeline.clips] == [90]


def test_an_effect_that_is_not_written_is_told(made: Callable[..., AafTimeline]):
    clip = made(lambda file, clip: [grouped(file, clip(7, 10), "Flop", False)]).clips[0]
    assert (clip.place(0) * 24, clip.notes) == (7, ("its effect Flop is not written",))


def test_several_or_no_sequences_are_refused(made: Callable[..., AafTimeline]):
    with pytest.raises(InputError, match=r"^made\.aaf holds 0 sequences: export exactly one$"):
        made(lambda file, clip: [clip(0, 20)], usage="Usage_LowerLevel")

    def twice(file: Any, clip: Any) -> list[Any]:
        second = file.create.CompositionMob("other")
        second.usage = "Usage_TopLevel"
        file.content.mobs.append(second)
        return [clip(0, 20)]

    with pytest.raises(InputError, match=r"holds 2 sequences \(.*edit.*\): export exactly one"):
        made(twice)


def grouped(file: Any, inside: Any, name: str, warps: bool) -> Any:
    """An effect around a segment."""
    operation = file.create.OperationDef(identity(), name)
    operation.media_kind = "picture"
    operation["IsTimeWarp"].value, operation["NumberInputs"].value = warps, 1
    file.dictionary.register_def(operation)
    group = file.create.OperationGroup(operation, inside.length)
    group.media_kind = "picture"
    group.segments.append(inside)
    return group


def identity() -> Any:
    from aaf2.auid import AUID

    return AUID(str(uuid.uuid4()))


def warped(
    file: Any, inside: Any, points: list[tuple[Any, Any]], name: str = "PARAM_SPEED_OFFSET_MAP_U", how: str = "LinearInterp"
) -> Any:
    """A time warp of Avid's kind around a segment."""
    from aaf2.auid import AUID

    words = file.dictionary
    interpolations = {
        "LinearInterp": AUID("5b6c85a4-0ede-11d3-80a9-006008143e6f"),
        "AvidCubicInterpolator": AUID("a04a5439-8a0e-4cb7-975f-a5b255866883"),
        "AvidBezierInterpolator": AUID("df394eda-6ac6-4566-8dbe-f28b0bdd781a"),
    }
    known = words.lookup_interperlationdef
    try:
        interpolation = known(how)
    except Exception:  # noqa: BLE001 - pyaaf2 has no way to ask
        interpolation = file.create.InterpolationDef(interpolations[how], how, how)
        words.register_def(interpolation)
    number = words.lookup_typedef("Rational") or words.lookup_typedef("aafRational")
    parameter = file.create.ParameterDef(identity(), name, "", number)
    words.register_def(parameter)
    group = grouped(file, inside, "Motion Control", True)
    varying = file.create.VaryingValue()
    varying.parameterdef, varying.interpolationdef = parameter, interpolation
    for at, value in points:
        varying.add_keyframe(at, value)
    group.parameters.append(varying)
    return group


@pytest.mark.parametrize(
    ("points", "how", "shown"),
    [
        (
            [(0, F(69, 100)), (10, F(569, 100))],
            "LinearInterp",
            [F(69, 100) + F(k, 2) for k in range(10)],
        ),  # a trimmed clip's phase
        ([(0, 0), (4, 2), (10, 14)], "LinearInterp", [0, F(1, 2), 1, F(3, 2), 2, 4, 6, 8, 10, 12]),
        ([(0, 7)], "LinearInterp", [7] * 10),
    ],
)
def test_time_warps(points: list[tuple[Any, Any]], how: str, shown: list[F], made: Callable[..., AafTimeline]):
    timeline = made(lambda file, clip: [warped(file, clip(50, 10), points, how=how)])
    assert not timeline.left
    assert [timeline.clips[0].place(k) * 24 for k in range(10)] == [50 + value for value in shown]


@pytest.mark.parametrize(
    ("points", "name", "how", "reason"),
    [
        ([(0, 0), (4, 2), (10, 14)], "PARAM_SPEED_OFFSET_MAP_U", "AvidBezierInterpolator", "AvidBezierInterpolator"),
        ([(0, 0), (10, 14)], "PARAM_OTHER", "LinearInterp", "has no map of frames"),
    ],
)
def test_time_warps_that_are_not_read(
    points: list[tuple[Any, Any]], name: str, how: str, reason: str, made: Callable[..., AafTimeline]
):
    timeline = made(lambda file, clip: [warped(file, clip(50, 10), points, name, how)])
    assert not timeline.clips
    assert reason in timeline.left[0].reason


def test_several_warps_or_several_clips_in_one_are_left(made: Callable[..., AafTimeline]):
    points = [(0, 0), (10, 5)]

    def many(file: Any, clip: Any) -> list[Any]:
        inside = file.create.Sequence("picture")
        inside.components.append(clip(0, 5))
        inside.components.append(clip(50, 5))
        inside.length = 10
        return [warped(file, warped(file, clip(0, 10), points), points), warped(file, inside, points)]

    assert [left.reason[:20] for left in made(many).left] == ["it has several time ", "it holds several cli"]


def media_for(timeline: AafTimeline) -> dict[int, NewMedia]:
    """New media for all but the first clip and the freeze."""
    return {
        index: NewMedia(Path(f"/new/clip {index} é.mov"), clip.frames + 24, 12, 320, 180)
        for index, clip in enumerate(timeline.clips)
        if index > 1
    }


@pytest.mark.parametrize("ending", [".otio", ".edl", ".xml"])
def test_adapters_of_otio_read_what_is_written(ending: str, tmp_path: Path, aaf2: Any):
    otio = pytest.importorskip("opentimelineio")
    if ending != ".otio":
        pytest.importorskip({".edl": "otio_cmx3600_adapter", ".xml": "otio_fcp_adapter"}[ending])
    timeline = read_aaf(DATA / SAMPLES[1], ending)
    path = tmp_path / f"made{ending}"
    path.write_bytes(timeline.with_media(media_for(timeline)))
    read = otio.adapters.read_from_file(str(path), **({"rate": 24} if ending == ".edl" else {}))
    clips = list(read.video_tracks()[0].find_clips())
    assert read.name == "OTIO_Speed_Effects.Exported.03"
    assert [clip.range_in_parent().start_time.value for clip in clips] == [one.begin for one in timeline.composition.placed]
    for clip, wanted in list(zip(clips, timeline.clips, strict=True))[2:]:
        assert list(clip.effects) == []
        assert (clip.source_range.start_time.value, clip.source_range.duration.value) == (12, wanted.frames)
    assert (clips[0].source_range.start_time.value, clips[0].source_range.duration.value) == (24, 8)
    if ending != ".edl":
        assert read.global_start_time == otio.opentime.RationalTime(86400, 24)


def test_layers_of_a_scope_are_tracks_and_muted_clips_lack_nothing(made: Callable[..., AafTimeline]):
    def scope(file: Any, clip: Any) -> list[Any]:
        muted = file.create.Selector()
        muted.media_kind, muted.length = "picture", 6
        muted["Selected"].value = filler(file, 6)
        return [muted, clip(3, 10)]

    timeline = made(scope, layers=[[(5, 10)], [None, (50, 6)]])
    assert [(one.track, one.begin, one.frames) for one in timeline.composition.placed] == [
        (0, 0, 6),
        (0, 6, 10),
        (1, 0, 10),
        (2, 4, 6),
    ]
    assert [(left.reason, left.missed) for left in timeline.left] == [("it is muted", False)]
