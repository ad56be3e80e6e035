"""What a file holds besides picture and sound: kept where time and the container allow it, else named."""

from __future__ import annotations

from fractions import Fraction as F
from pathlib import Path

import av
import numpy as np
import pytest
from av.stream import Disposition
from footage import film, moving, png, tone

from vfi.clips.clip import Info
from vfi.clips.open import ClipSource, create_clip
from vfi.clips.video.extras import Extras, timecode

INFO = Info(64, 48, rate=F(24))
DOUBLED = ((F(0), F(0)), (F(2), F(4)))
BACK = ((F(0), F(0)), (F(1), F(1)), (F(0), F(2)))


@pytest.fixture
def full(tmp_path: Path) -> Path:
    """Two seconds with two tracks of sound, subtitles, chapters, tags, a font, a cover and a timecode."""
    pictures = film(tmp_path / "pictures.mp4", list(range(49)), F(1, 24))
    path = tmp_path / "full.mkv"
    with av.open(str(pictures)) as source, av.open(str(path), "w", options={"default_mode": "passthrough"}) as output:
        picture = output.add_stream_from_template(source.streams.video[0])
        picture.metadata["title"] = "Angle 1"
        picture.disposition = Disposition.default
        voices = [output.add_stream("aac", rate=48000, layout="mono") for _ in range(2)]
        for voice, language, flags in zip(voices, ("eng", "ger"), (Disposition(0), Disposition.default), strict=True):
            voice.metadata["language"], voice.disposition = language, flags
        voices[1].metadata["title"] = "Kommentar"
        words = output.add_mux_stream("subrip")
        words.metadata["language"], words.disposition = "fre", Disposition.forced | Disposition.default
        output.add_attachment("font.ttf", "application/x-truetype-font", b"a font")
        output.add_attachment("cover.png", "image/png", cover())
        output.metadata.update({"title": "My film", "workflow": '{"nodes": []}', "timecode": "01:00:00:12"})
        output.set_chapters([chapter(1, 0, 500, "A"), chapter(2, 500, 2000, "B")])
        output.start_encoding()
        for start, text in ((100, b"Hello"), (1500, b"World")):
            packet = av.Packet(text)
            packet.stream, packet.time_base = words, F(1, 1000)
            packet.pts = packet.dts = start
            packet.duration = 300
            output.mux(packet)
        for packet in source.demux(source.streams.video[0]):
            if packet.size:
                packet.stream = picture
                output.mux(packet)
        for voice in voices:
            for packet in tone(voice, F(2)):
                output.mux(packet)
    return path


def cover() -> bytes:
    return png(np.zeros((8, 8, 3), np.uint8), 2)


def chapter(number: int, start: int, end: int, title: str) -> dict:
    return {"id": number, "start": start, "end": end, "time_base": F(1, 1000), "metadata": {"title": title}}


def made(path: Path, extras: Extras, audio: Path | None = None, seconds: int = 2, rate: F = F(24)) -> list[str]:
    with create_clip(path, Info(64, 48, rate=rate), audio=audio, extras=extras) as writer:
        for frame in moving(int(seconds * rate), rate):
            writer.write(frame)
    return writer.notes


def chapters(path: Path) -> list[tuple[F, F, str]]:
    with av.open(str(path)) as file:
        found = ((one["start"], one["end"], one["time_base"], one["metadata"]["title"]) for one in file.chapters())
        return [(start * unit, end * unit, title) for start, end, unit, title in found]


def words(path: Path) -> list[tuple[F, F, bytes]]:
    with av.open(str(path)) as file:
        packets = [packet for packet in file.demux(file.streams.subtitles[0]) if packet.size]
        return [(one.pts * one.time_base, one.duration * one.time_base, bytes(one)) for one in packets]


def test_all_is_kept_in_matroska(tmp_path, full):
    out = tmp_path / "out.mkv"
    assert made(out, Extras(full), full, rate=F(48)) == []
    with av.open(str(out)) as file:
        tracks = [
            (one.type, one.metadata.get("language"), one.metadata.get("title"), Disposition(one.disposition))
            for one in file.streams
        ]
        assert tracks[:4] == [
            ("video", None, "Angle 1", Disposition.default),
            ("audio", "eng", None, Disposition(0)),
            ("audio", "ger", "Kommentar", Disposition.default),
            ("subtitle", "fre", None, Disposition.default | Disposition.forced),
        ]
        assert [one.data for one in file.streams if one.type == "attachment"] == [b"a font"]
        pictures = [one for one in file.streams.video if one.disposition & Disposition.attached_pic]
        assert bytes(next(packet for packet in file.demux(pictures) if packet.size)) == cover()
        tags = {key.lower(): value for key, value in file.metadata.items()}
        assert tags["title"] == "My film"
        assert tags["workflow"] == '{"nodes": []}'
        assert tags["timecode"] == "01:00:00:24"
        assert "duration" not in tags
    assert chapters(out) == [(0, F(1, 2), "A"), (F(1, 2), 2, "B")]
    assert words(out) == [(F(1, 10), F(3, 10), b"Hello"), (F(3, 2), F(3, 10), b"World")]


def test_mp4_keeps_what_it_can_and_names_the_rest(tmp_path, full):
    out = tmp_path / "out.mp4"
    assert made(out, Extras(full), full) == [
        f"not kept from {full}: 1 cover picture, 1 attachment",
        f"1 subtitle track (subrip) of {full}: converted to mov_text, which keeps text and simple styles",
    ]
    with av.open(str(out)) as file:
        assert file.metadata["title"] == "My film"
        assert file.metadata["workflow"] == '{"nodes": []}'
        assert file.streams.video[0].metadata["timecode"] == "01:00:00:12"
        assert [one.metadata["language"] for one in file.streams.audio] == ["eng", "ger"]
    assert chapters(out) == [(0, F(1, 2), "A"), (F(1, 2), 2, "B")]
    again = tmp_path / "again.mp4"
    assert made(again, Extras(out), out) == []  # the track of chapters and that of the timecode are no data of their own
    assert chapters(again) == chapters(out)


def cues(path: Path) -> list[tuple[F, F, str]]:
    """When each subtitle begins and how long it is shown, to the millisecond, and its text."""
    with av.open(str(path)) as file:
        stream = file.streams.subtitles[0]
        found = []
        for packet in file.demux(stream):
            text = packet.size and stream.decode2(packet)
            if text:
                times = (round(time * packet.time_base, 3) for time in (packet.pts, packet.duration))
                found.append((*times, text[0].dialogue.decode().rstrip()))
        return found


def subtitled(path: Path, source: Path, codec: str) -> Path:
    """The same film with its subtitles in a codec, encoded by PyAV itself."""
    with av.open(str(source)) as given, av.open(str(path), "w") as output:
        picture = output.add_stream_from_template(given.streams.video[0])
        own = given.streams.subtitles[0]
        own.codec_context.open(strict=False)
        words = output.add_stream(codec)
        words.codec_context.subtitle_header = own.codec_context.subtitle_header
        words.codec_context.time_base, words.metadata["language"] = F(1, 1000), "fre"
        output.start_encoding()
        for packet in given.demux(given.streams.video[0], own):
            if packet.size and packet.stream is own:
                copy = words.codec_context.encode_subtitle(own.decode2(packet))
                copy.stream, copy.time_base = words, packet.time_base
                copy.pts = copy.dts = packet.pts
                copy.duration = packet.duration
                output.mux(copy)
            elif packet.size:
                packet.stream = picture
                output.mux(packet)
    return path


@pytest.mark.parametrize(
    ("codec", "file", "out", "becomes"),
    [
        ("subrip", "in.mkv", "out.mp4", "mov_text"),
        ("ass", "in.mkv", "out.mov", "mov_text"),
        ("webvtt", "in.mkv", "out.mp4", "mov_text"),
        ("mov_text", "in.mp4", "out.mkv", "subrip"),
        ("mov_text", "in.mp4", "out.webm", "webvtt"),
        ("ass", "in.mkv", "out.webm", "webvtt"),
        ("ass", "in.mkv", "out.mkv", "ass"),
        ("mov_text", "in.mp4", "out.mp4", "mov_text"),
    ],
)
def test_text_of_subtitles_is_kept_in_every_container(tmp_path, full, codec, file, out, becomes):
    source = subtitled(tmp_path / file, full, codec)
    notes = made(tmp_path / out, Extras(source, knots=DOUBLED), seconds=4)
    changed = f"1 subtitle track ({codec}) of {source}: converted to {becomes}, which keeps text and simple styles"
    assert notes == ([] if codec == becomes else [changed])
    assert cues(tmp_path / out) == [(F(1, 5), F(3, 5), "Hello"), (3, F(3, 5), "World")]
    with av.open(str(tmp_path / out)) as result:
        [stream] = result.streams.subtitles
        assert stream.codec_context.codec.canonical_name == becomes
        assert out.endswith(".mov") or stream.metadata["language"] == "fre"  # FFmpeg writes few languages to QuickTime


@pytest.mark.parametrize("ending", ["mp4", "mov", "mkv"])
def test_subtitles_that_overlap_keep_their_starts(tmp_path, full, ending):
    path = tmp_path / "dense.mkv"
    with av.open(str(full)) as given, av.open(str(path), "w") as output:
        picture, words = (output.add_stream_from_template(one) for one in (given.streams.video[0], given.streams.subtitles[0]))
        for start, lasting in ((100, 700), (500, 500), (1000, 400), (1600, 300)):  # the second overlaps, the third follows on
            packet = av.Packet(str(start).encode())
            packet.stream, packet.time_base, packet.duration = words, F(1, 1000), lasting
            packet.pts = packet.dts = start
            output.mux(packet)
        for packet in given.demux(given.streams.video[0]):
            if packet.size:
                packet.stream = picture
                output.mux(packet)
    notes = made(tmp_path / f"out.{ending}", Extras(path))
    starts = [(F(1, 10), "100"), (F(1, 2), "500"), (1, "1000"), (F(8, 5), "1600")]
    lasting = [F(7, 10) if ending == "mkv" else F(2, 5), F(1, 2), F(2, 5), F(3, 10)]
    assert cues(tmp_path / f"out.{ending}") == [(at, long, text) for (at, text), long in zip(starts, lasting, strict=True)]
    told = f"some subtitles of {path} overlap: in {ending} files, each ends where the next begins"
    assert (told in notes) == (ending != "mkv")


def test_a_part_has_its_own_subtitles(tmp_path, full):
    made(tmp_path / "out.mp4", Extras(full, F(1), F(2)), seconds=1)
    assert cues(tmp_path / "out.mp4") == [(F(1, 2), F(3, 10), "World")]


def test_subtitles_that_are_no_utf8_are_told(tmp_path, full):
    path = tmp_path / "latin.mkv"
    with av.open(str(full)) as given, av.open(str(path), "w") as output:
        picture, words = (output.add_stream_from_template(one) for one in (given.streams.video[0], given.streams.subtitles[0]))
        for packet in given.demux(given.streams.video[0], given.streams.subtitles[0]):
            if packet.size and packet.stream.type == "subtitle" and packet.pts < 1000:
                latin = av.Packet("Grüße".encode("latin-1"))
                latin.stream, latin.time_base, latin.duration = words, packet.time_base, packet.duration
                latin.pts = latin.dts = packet.pts
                output.mux(latin)
            elif packet.size:
                packet.stream = picture if packet.stream.type == "video" else words
                output.mux(packet)
    notes = made(tmp_path / "out.mp4", Extras(path))
    assert notes[0] == f"some subtitles of {path} are left out: they are damaged or not UTF-8"
    assert cues(tmp_path / "out.mp4") == [(F(3, 2), F(3, 10), "World")]


def test_quicktime_holds_no_cover_and_a_note_says_so(tmp_path, full):
    assert "1 cover picture" in made(tmp_path / "out.mov", Extras(full))[0]


def test_a_title_alone_and_a_cover_go_where_players_look_for_them(tmp_path):
    titled = film(tmp_path / "plain.mp4", list(range(25)), F(1, 24))
    with av.open(str(titled)) as source, av.open(str(tmp_path / "titled.mkv"), "w") as output:
        stream = output.add_stream_from_template(source.streams.video[0])
        output.metadata["title"] = "My film"
        output.add_attachment("cover.png", "image/png", cover())
        for packet in source.demux():
            if packet.size:
                packet.stream = stream
                output.mux(packet)
    assert made(tmp_path / "out.mp4", Extras(tmp_path / "titled.mkv")) == []
    with av.open(str(tmp_path / "out.mp4")) as file:
        assert [bool(one.disposition & Disposition.attached_pic) for one in file.streams.video] == [False, True]
    assert b"\xa9nam" in (tmp_path / "out.mp4").read_bytes()


def test_they_follow_a_part_and_a_new_speed(tmp_path, full):
    out = tmp_path / "part.mkv"
    assert made(out, Extras(full, F(1, 4), F(8, 5)), seconds=1) == []
    assert chapters(out) == [(0, F(1, 4), "A"), (F(1, 4), F(27, 20), "B")]
    assert words(out) == [(0, F(3, 20), b"Hello"), (F(5, 4), F(1, 10), b"World")]
    [note] = made(tmp_path / "slow.mkv", Extras(full, knots=DOUBLED), seconds=4)
    assert note == f"not kept from {full}: the timecode"
    assert chapters(tmp_path / "slow.mkv") == [(0, 1, "A"), (1, 4, "B")]
    assert words(tmp_path / "slow.mkv") == [(F(1, 5), F(3, 5), b"Hello"), (3, F(3, 5), b"World")]
    [note] = made(tmp_path / "back.mkv", Extras(full, knots=BACK))
    assert note == f"not kept from {full}: the timecode, 2 chapters, 1 subtitle track (subrip)"


def test_images_name_all(tmp_path, full):
    [note] = made(tmp_path / "images", Extras(full))
    assert note == (
        f"not kept from {full}: the tags, the timecode, 2 chapters, 1 subtitle track (subrip), 1 cover picture, 1 attachment"
    )


@pytest.mark.parametrize(
    ("text", "rate", "wanted", "later", "right"),
    [
        ("01:00:00:12", F(24), F(48), F(0), "01:00:00:24"),
        ("01:00:00:12", F(24), F(24), F(3, 2), "01:00:02:00"),
        ("00:00:59;29", F(30000, 1001), F(60000, 1001), F(0), "00:00:59;58"),
        ("00:00:59;29", F(30000, 1001), F(30000, 1001), F(1001, 30000), "00:01:00;02"),
        ("00:09:59;29", F(30000, 1001), F(120), F(1001, 30000), "00:10:00:00"),
        ("23:59:59:24", F(25), F(25), F(1, 25), "00:00:00:00"),
    ],
)
def test_a_timecode_keeps_its_clock(text, rate, wanted, later, right):
    assert timecode(text, rate, wanted, later) == right


def test_a_percent_sign_in_a_files_name_loses_nothing(tmp_path: Path):
    clip = film(tmp_path / "100%.mp4", range(0, 5), F(1, 24))
    assert ClipSource(clip).extras() is not None
