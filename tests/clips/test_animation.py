"""Animated WebP and APNG: each frame as browsers show it, with its own duration, alpha and depth; damage is never shown.

The files are made byte by byte. OpenCV (libwebp) and FFmpeg's APNG decoder judge what is drawn.
"""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction as F
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from footage import exif, film, png

from vfi import __main__
from vfi.clips import animation
from vfi.clips.animation import AnimationReader, is_animation
from vfi.clips.clip import DamagedError
from vfi.clips.images import read_image
from vfi.clips.open import ClipSource, open_clip
from vfi.core import Frame, InputError

RED, GREEN, BLUE, NOTHING = (255, 0, 0, 255), (0, 255, 0, 255), (0, 0, 255, 255), (0, 0, 0, 0)
KEEP, CLEAR, RESTORE = range(3)
REPLACE, OVER = range(2)
Stored = tuple[np.ndarray, tuple[int, int], F, int, int]
"""Samples [h,w,C], place (left, top), seconds, disposal and blending: of the file, both as APNG counts them."""


def filled(colour: tuple[int, ...], width: int = 8, height: int = 6) -> np.ndarray:
    return np.broadcast_to(np.array(colour), (height, width, len(colour)))


def chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def apng(stored: list[Stored], *, kind=6, depth=8, plays=1, extra=(), default: np.ndarray | None = None) -> bytes:
    """An APNG of the size of its first picture; ``default`` is shown by programs that know no APNG. Data is in two chunks."""
    first, parts, number = (stored[0][0] if default is None else default), [], 0

    def data(samples: np.ndarray) -> bytes:
        return next(body for name, body in chunks_of(png(samples, kind, depth=depth)) if name == b"IDAT")

    head = dict(chunks_of(png(first, kind, depth=depth)))[b"IHDR"]
    if default is not None:
        parts.append(chunk(b"IDAT", data(default)))
    for index, (samples, (left, top), lasts, disposal, blending) in enumerate(stored):
        height, width = samples.shape[:2]
        delay = (lasts.numerator, lasts.denominator, disposal, blending)
        parts.append(chunk(b"fcTL", struct.pack(">IIIIIHHBB", number, width, height, left, top, *delay)))
        number, packed = number + 1, data(samples)
        for half in (packed[: len(packed) // 2], packed[len(packed) // 2 :]):
            if index == 0 and default is None:
                parts.append(chunk(b"IDAT", half))
            else:
                parts.append(chunk(b"fdAT", struct.pack(">I", number) + half))
                number += 1
    about = [chunk(b"IHDR", head), chunk(b"acTL", struct.pack(">II", len(stored), plays)), *(chunk(*one) for one in extra)]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*about, *parts, chunk(b"IEND", b"")])


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    found, at = [], 8
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + size]))
        at += 12 + size
    return found


def webp(stored: list[Stored], *, size=None, plays=1, quality=101, extra=()) -> bytes:
    """An animated WebP of the size of its first picture; a ``quality`` above 100 is lossless."""

    def riff(name: bytes, body: bytes) -> bytes:
        return name + struct.pack("<I", len(body)) + body + bytes(len(body) % 2)

    def three(number: int) -> bytes:
        return struct.pack("<I", number)[:3]

    height, width = size or stored[0][0].shape[:2]
    parts = [riff(b"ANIM", struct.pack("<IH", 0xFF0000FF, plays))]
    for samples, (left, top), lasts, disposal, blending in stored:
        channels = samples.astype(np.uint8)[..., [2, 1, 0, 3][: samples.shape[2]]]
        still = bytes(cv2.imencode(".webp", channels, [cv2.IMWRITE_WEBP_QUALITY, quality])[1])[12:]
        still = still[18:] if still[:4] == b"VP8X" else still
        place = b"".join(map(three, (left // 2, top // 2, samples.shape[1] - 1, samples.shape[0] - 1, round(lasts * 1000))))
        parts.append(riff(b"ANMF", place + bytes([disposal | (2 if blending == REPLACE else 0)]) + still))
    flags = 0x12 | (8 if extra else 0)
    about = riff(b"VP8X", bytes([flags, 0, 0, 0]) + three(width - 1) + three(height - 1))
    return riff(b"RIFF", b"WEBP" + about + b"".join([*parts, *(riff(*one) for one in extra)]))


def shown(frame: Frame) -> np.ndarray:
    """[H,W,4] in 0..255."""
    alpha = torch.ones_like(frame.rgb[:1]) if frame.alpha is None else frame.alpha
    return (torch.cat((frame.rgb, alpha)) * 255).permute(1, 2, 0).numpy()


def is_near(found: np.ndarray, wanted: np.ndarray, error: float = 0.51) -> bool:
    """Whether both look alike: colours count by their alpha."""
    alpha = np.minimum(found[..., 3:], wanted[..., 3:]) / 255
    both = np.abs(found - wanted.astype(float)) * np.concatenate((alpha, alpha, alpha, np.ones_like(alpha)), 2)
    return bool(both.max() <= error)


def made(kind: str, stored: list[Stored], **more) -> io.BytesIO:
    return io.BytesIO(apng(stored, **more) if kind == "apng" else webp(stored, **more))


def pixels(source: io.BytesIO, x: int, y: int) -> list[tuple[int, ...]]:
    """One pixel of every frame, 0 0 0 where it is transparent."""
    found = [shown(frame)[y, x].round().astype(int) for frame in AnimationReader(source)]
    return [tuple(map(int, pixel)) if pixel[3] else NOTHING for pixel in found]


STEP = F(1, 10)
both = pytest.mark.parametrize("kind", ["apng", "webp"])


class TestDrawing:
    @both
    @pytest.mark.parametrize(
        ("disposal", "blending", "small", "inside", "outside"),
        [
            (KEEP, OVER, GREEN, [RED, GREEN, GREEN], [RED, RED, RED]),
            (KEEP, OVER, NOTHING, [RED, RED, RED], [RED, RED, RED]),
            (KEEP, REPLACE, NOTHING, [RED, NOTHING, NOTHING], [RED, RED, RED]),
            (CLEAR, OVER, GREEN, [RED, GREEN, NOTHING], [RED, RED, RED]),
            (CLEAR, REPLACE, NOTHING, [RED, NOTHING, NOTHING], [RED, RED, RED]),
            (RESTORE, OVER, GREEN, [RED, GREEN, RED], [RED, RED, RED]),
            (RESTORE, REPLACE, NOTHING, [RED, NOTHING, RED], [RED, RED, RED]),
        ],
    )
    def test_disposal_and_blending(self, kind: str, disposal: int, blending: int, small, inside, outside):
        """A small picture on a red one, then a blue dot in the corner, over both."""
        if kind == "webp" and disposal == RESTORE:
            pytest.skip("WebP restores nothing")
        source = made(
            kind,
            [
                (filled(RED), (0, 0), STEP, KEEP, REPLACE),
                (filled(small, 4, 2), (2, 2), STEP, disposal, blending),
                (filled(BLUE, 1, 1), (0, 0), STEP, KEEP, OVER),
            ],
        )
        assert pixels(source, 3, 3) == inside
        assert pixels(source, 7, 3) == outside
        assert pixels(source, 0, 0) == [RED, RED, BLUE]

    @pytest.mark.parametrize("channels", [3, 4])
    @pytest.mark.parametrize("disposal", [CLEAR, RESTORE])
    def test_a_first_picture_that_is_restored_is_cleared(self, disposal: int, channels: int):
        """Also in a file whose pictures have no alpha."""
        stored = [
            (filled(RED[:channels]), (0, 0), STEP, disposal, REPLACE),
            (filled(GREEN[:channels], 1, 1), (0, 0), STEP, KEEP, OVER),
        ]
        assert pixels(io.BytesIO(apng(stored, kind={3: 2, 4: 6}[channels])), 5, 5) == [RED, NOTHING]

    @both
    def test_half_over_half(self, kind: str):
        """(100 x 0.6 + 200 x 0.4 x 0.4) / 0.76 = 121.05 at an alpha of 0.6 + 0.4 x 0.4 = 0.76."""
        below, above = (200, 200, 200, 102), (100, 100, 100, 153)
        source = made(kind, [(filled(below), (0, 0), STEP, KEEP, REPLACE), (filled(above, 2, 2), (0, 0), STEP, KEEP, OVER)])
        *_, last = AnimationReader(source)
        assert shown(last)[0, 0] == pytest.approx([121.0526, 121.0526, 121.0526, 193.8], abs=1e-3)
        assert shown(last)[5, 5] == pytest.approx(below, abs=1e-3)

    @both
    def test_a_first_picture_smaller_than_the_canvas(self, kind: str):
        """Around it nothing is drawn: the background colour is a hint that browsers do not follow."""
        stored = [(filled(RED[:3] if kind == "webp" else RED, 2, 2), (2, 2), STEP, KEEP, REPLACE)]
        data = webp(stored, size=(6, 8)) if kind == "webp" else apng(stored, default=filled(GREEN))
        reader = AnimationReader(io.BytesIO(data))
        assert (reader.info.width, reader.info.height, reader.info.alpha) == (8, 6, True)
        assert pixels(io.BytesIO(data), 2, 2) == [RED]
        assert pixels(io.BytesIO(data), 0, 0) == [NOTHING]

    @pytest.mark.skipif(not hasattr(cv2, "imdecodeanimation"), reason="OpenCV reads animations from 4.11 on")
    @pytest.mark.parametrize("quality", [101, 80], ids=["lossless", "lossy"])
    @pytest.mark.parametrize("seed", range(4))
    def test_webp_is_what_libwebp_draws(self, seed: int, quality: int):
        random = np.random.default_rng(seed)
        data = webp([one for one in anything(random, 4) if one[3] != RESTORE], size=(31, 43), quality=quality)
        frames, (_, theirs) = list(AnimationReader(io.BytesIO(data))), cv2.imdecodeanimation(np.frombuffer(data, np.uint8))
        assert len(frames) == len(theirs.frames)
        assert [frame.duration * 1000 for frame in frames] == list(theirs.durations)
        for ours, other in zip(frames, theirs.frames, strict=True):  # they round each picture and each blend to whole codes
            assert is_near(shown(ours), other[..., [2, 1, 0, 3]], 2.5)

    @pytest.mark.parametrize("kind", [6, 4, 3], ids=["rgba", "grey-alpha", "palette"])
    @pytest.mark.parametrize("seed", range(3))
    def test_apng_is_what_ffmpeg_draws(self, seed: int, kind: int):
        random = np.random.default_rng(seed)
        palette = [(b"PLTE", random.bytes(48)), (b"tRNS", random.bytes(12))] if kind == 3 else []
        stored = anything(random, {6: 4, 4: 2, 3: 1}[kind], 16 if kind == 3 else 256)
        data = apng(stored, kind=kind, extra=palette)
        with av.open(io.BytesIO(data)) as container:
            theirs = [picture.reformat(format="rgba").to_ndarray() for picture in container.decode(video=0)]
        ours = list(AnimationReader(io.BytesIO(data)))
        assert len(ours) == len(theirs)
        assert all(is_near(shown(frame), other, 1.5) for frame, other in zip(ours, theirs, strict=True))

    def test_sixteen_bits_are_kept(self):
        """FFmpeg's APNG decoder refuses to blend them."""
        random = np.random.default_rng(0)
        first, second = (random.integers(0, 65536, (6, 8, 4)) for _ in range(2))
        second[..., 3] = random.choice([0, 65535], (6, 8))
        data = io.BytesIO(apng([(first, (0, 0), STEP, 0, 0), (second, (0, 0), STEP, 0, OVER)], depth=16))
        reader = AnimationReader(data)
        assert (reader.info.depth, reader.info.alpha) == (16, True)
        wanted = np.where(second[..., 3:] > 0, second, first)
        for frame, samples in zip(reader, (first, wanted), strict=True):
            assert np.array_equal((shown(frame) / 255 * 65535).round(), samples)

    def test_colours_of_a_palette_and_of_grey(self):
        palette = np.random.default_rng(0).integers(0, 256, (16, 3))
        indices = np.random.default_rng(1).integers(0, 16, (6, 8, 1))
        data = apng([(indices, (0, 0), STEP, 0, 0)], kind=3, extra=[(b"PLTE", palette.astype(np.uint8).tobytes())])
        (frame,) = AnimationReader(io.BytesIO(data))
        assert frame.alpha is None
        assert np.array_equal(shown(frame)[..., :3].round(), palette[indices[..., 0]])
        grey = np.arange(48).reshape(6, 8, 1) * 5
        (frame,) = AnimationReader(io.BytesIO(apng([(grey, (0, 0), STEP, 0, 0)], kind=0)))
        assert np.array_equal(shown(frame)[..., :1].round(), grey)

    def test_lossy_webp_is_bt601_at_any_height(self):
        """As video, 720 lines would be taken for BT.709, some 15 codes off."""
        data = webp([(np.broadcast_to([200, 40, 30], (736, 16, 3)), (0, 0), STEP, 0, 0)], quality=95)
        (frame,) = AnimationReader(io.BytesIO(data))
        assert np.abs(shown(frame)[400, 8, :3] - [200, 40, 30]).max() < 3

    @both
    def test_one_pixel(self, kind: str):
        stored = [(filled(colour, 1, 1), (0, 0), STEP, 0, 0) for colour in (RED, BLUE)]
        assert pixels(made(kind, stored), 0, 0) == [RED, BLUE]


def anything(random: np.random.Generator, channels: int, top: int = 256) -> list[Stored]:
    """Pictures of any size, disposal and blending on a canvas of 43x31."""
    stored: list[Stored] = []
    for index in range(6):
        left, top_ = (0, 0) if not index else (int(random.integers(0, 20)) * 2, int(random.integers(0, 15)) * 2)
        width, height = (43, 31) if not index else (int(random.integers(1, 44 - left)), int(random.integers(1, 32 - top_)))
        samples = random.integers(0, top, (height, width, channels))
        if channels in (2, 4) and index % 2:
            samples[..., -1] = random.choice([0, 255], (height, width))
        lasts = F(int(random.integers(1, 300)), 1000)
        stored.append((samples, (left, top_), lasts, int(random.integers(0, 3)) if index else 0, int(random.integers(0, 2))))
    return stored


class TestTimes:
    @both
    def test_each_frame_has_its_own_duration(self, kind: str):
        lasts = [F(1, 10), F(1, 20), F(42, 1000), F(1)]
        source = made(kind, [(filled(RED), (0, 0), one, 0, 0) for one in lasts])
        reader = AnimationReader(source)
        assert [(frame.time, frame.duration) for frame in reader] == [
            (F(0), F(1, 10)),
            (F(1, 10), F(1, 20)),
            (F(3, 20), F(42, 1000)),
            (F(192, 1000), F(1)),
        ]
        info = reader.info
        assert (info.frames, info.duration, info.rate, info.start) == (4, F(1192, 1000), F(4000, 1192), 0)
        assert all((frame.time / info.time_base).denominator == 1 for frame in reader)

    def test_exact_fractions_of_apng(self):
        """FFmpeg rounds these to 1/100000 s."""
        source = made("apng", [(filled(RED), (0, 0), F(1, 24), 0, 0), (filled(BLUE), (0, 0), F(1001, 30000), 0, 0)])
        assert [frame.duration for frame in AnimationReader(source)] == [F(1, 24), F(1001, 30000)]

    def test_units_that_no_video_has_are_rounded_and_said(self, tmp_path: Path):
        units = [65521, 65519, 65497, 65479]
        source = made("apng", [(filled(RED), (0, 0), F(6000, unit), 0, 0) for unit in units])
        reader = AnimationReader(source)
        exact = [sum((F(6000, unit) for unit in units[:k]), F(0)) for k in range(4)]
        assert [frame.time for frame in reader] == [F(round(time * 10**6), 10**6) for time in exact]
        assert reader.notes == [
            "the times of the clip in memory are rounded to 1/1000000 s: together they are finer than a video's"
        ]
        (tmp_path / "a.png").write_bytes(source.getvalue())
        for ending in ("mp4", "mkv", "webm"):
            for asked in (("--times", "2"), ("--fps", "30")):
                given = (
                    "interpolate",
                    tmp_path / "a.png",
                    tmp_path / f"o.{ending}",
                    "--model",
                    "nearest",
                    "--overwrite",
                    *asked,
                )
                assert __main__.main([*map(str, given)]) == 0

    def test_a_denominator_of_zero_means_hundredths(self):
        data = apng([(filled(RED), (0, 0), F(7, 100), 0, 0)])
        control = data.index(b"fcTL") + 4
        body = bytearray(data[control : control + 26])
        body[22:24] = b"\0\0"
        data = data[: control - 8] + chunk(b"fcTL", bytes(body)) + data[control + 30 :]
        assert AnimationReader(io.BytesIO(data)).info.duration == F(7, 100)

    @both
    def test_no_duration_is_a_tenth_of_a_second_and_said(self, kind: str):
        source = made(kind, [(filled(RED), (0, 0), F(one), 0, 0) for one in (0, F(1, 50), 0)])
        reader = AnimationReader(source)
        assert [frame.time for frame in reader] == [0, F(1, 10), F(12, 100)]
        assert reader.notes == [
            "2 pictures state no duration in the clip in memory: each lasts 0.1 s, as in browsers",
        ]

    @both
    @pytest.mark.parametrize(("plays", "said"), [(1, None), (0, "without end"), (3, "3 times")])
    def test_loops_are_read_once_and_said(self, kind: str, plays: int, said: str | None):
        source = made(kind, [(filled(one), (0, 0), STEP, 0, 0) for one in (RED, BLUE)], plays=plays)
        reader = AnimationReader(source)
        assert len(list(reader)) == 2
        assert reader.notes == ([f"the clip in memory loops {said}: one pass is read"] if said else [])

    @both
    @pytest.mark.parametrize("before", [0, 1, 9])
    def test_a_part_is_what_the_whole_shows(self, kind: str, before: int):
        random = np.random.default_rng(5)
        stored = [one for one in anything(random, 4) if kind == "apng" or one[3] != RESTORE]
        stored.insert(3, (filled(GREEN, 43, 31), (0, 0), STEP, KEEP, REPLACE))  # depends on no other
        stored.append((filled((9, 9, 9, 100), 43, 31), (0, 0), STEP, KEEP, OVER))
        if kind == "apng":
            stored.append((filled(BLUE, 43, 31), (0, 0), STEP, RESTORE, REPLACE))
        stored.append((filled(RED, 1, 1), (0, 0), STEP, CLEAR, REPLACE))
        reader = AnimationReader(made(kind, stored))
        whole = list(reader)
        moments = [F(-1), F(99), *(frame.time + lag for frame in whole for lag in (F(0), F(1, 2000)))]
        for time in moments:
            at = max(index for index, frame in enumerate(whole) if not index or frame.time <= time)
            part = list(reader.since(time, before))
            wanted = whole[max(at - before, 0) :]
            assert [frame.time for frame in part] == [frame.time for frame in wanted]
            assert all(np.array_equal(shown(a), shown(b)) for a, b in zip(part, wanted, strict=True))

    def test_only_what_a_frame_depends_on_is_decoded(self, monkeypatch):
        stored = [(filled(RED[:3] if index % 10 else RED), (0, 0), STEP, 0, REPLACE) for index in range(30)]
        reader = AnimationReader(made("webp", stored))
        decoded: list[int] = []
        whole = AnimationReader._decoded
        monkeypatch.setattr(AnimationReader, "_decoded", lambda *given: decoded.append(1) or whole(*given))
        assert next(reader.since(F(25, 10))).time == F(25, 10)
        assert len(decoded) == 1


class TestFiles:
    @both
    def test_alpha_is_only_where_there_is_some(self, kind: str):
        stored = [(filled(RED), (0, 0), STEP, 0, 0), (filled((9, 9, 9, 255)), (0, 0), STEP, 0, OVER)]
        reader = AnimationReader(made(kind, stored))
        assert not reader.info.alpha
        assert all(frame.alpha is None for frame in reader)
        late = AnimationReader(made(kind, [*stored, (filled(NOTHING), (0, 0), STEP, 0, REPLACE)]))
        assert late.info.alpha
        assert [float(frame.alpha.mean()) for frame in late] == [1, 1, 0]

    def test_the_picture_for_other_programs_is_no_frame(self):
        stored = [(filled(one), (0, 0), STEP, 0, 0) for one in (RED, BLUE)]
        assert pixels(made("apng", stored, default=filled(GREEN)), 1, 1) == [RED, BLUE]

    @pytest.mark.parametrize("kind", ["apng", "webp"])
    def test_orientation_and_what_is_not_kept(self, kind: str):
        stored = [(filled(RED, 4, 2), (0, 0), STEP, 0, 0), (filled(BLUE, 1, 1), (0, 0), STEP, 0, OVER)]
        name = b"eXIf" if kind == "apng" else b"EXIF"
        extra = [(name, exif(6)), (b"tEXt", b"Title\0{}") if kind == "apng" else (b"XMP ", b"<x/>")]
        reader = AnimationReader(made(kind, stored, extra=extra))
        assert (reader.info.width, reader.info.height) == (2, 4)
        *_, last = reader
        assert tuple(shown(last)[0, 1].round()) == BLUE  # turned to the right, the first pixel is at the top right
        other = "text" if kind == "apng" else "XMP data"
        assert reader.notes == [f"the clip in memory holds EXIF data, {other}: only the pictures are kept"]

    @pytest.mark.parametrize(
        ("kind", "name", "body"),
        [
            ("webp", b"EXIF", b"Exif\0\0" + exif(1) + b"prompt:{}\0workflow:{}"),
            ("apng", b"tEXt", b"workflow\0{}"),
            ("apng", b"comf", b"workflow\0{}"),
        ],
    )
    def test_a_workflow_that_is_lost_is_named(self, kind: str, name: bytes, body: bytes):
        """As ComfyUI's *SaveAnimatedWEBP* and *SaveAnimatedPNG* store it."""
        reader = AnimationReader(made(kind, [(filled(RED), (0, 0), STEP, 0, 0)], extra=[(name, body)]))
        assert reader.notes == ["the clip in memory holds a ComfyUI workflow: only the pictures are kept"]

    def test_a_canvas_larger_than_any_picture_is_refused(self):
        data = bytearray(webp([(filled(RED), (0, 0), STEP, 0, 0)]))
        data[24:30] = b"\xff" * 6
        with pytest.raises(InputError, match=r"is 16777216x16777216: an animation has at most 2\^28 pixels"):
            AnimationReader(io.BytesIO(bytes(data)))

    def test_more_pictures_than_memory_holds_are_refused(self, monkeypatch):
        monkeypatch.setattr(animation, "MOST", 2)
        stored = [(filled(RED), (0, 0), STEP, 0, 0)] * 3
        assert AnimationReader(made("apng", stored[:2])).info.frames == 2
        with pytest.raises(InputError, match="more than 2 pictures"):
            AnimationReader(made("apng", stored))

    @both
    def test_a_picture_outside_of_the_canvas_is_damage(self, kind: str):
        stored = [(filled(RED), (0, 0), STEP, 0, 0), (filled(RED), (2, 0), STEP, 0, 0)]
        with pytest.raises(DamagedError, match="impossible values"):
            AnimationReader(made(kind, stored))

    @both
    def test_a_file_cut_anywhere_never_shows_less_silently(self, kind: str):
        random = np.random.default_rng(2)
        stored = [(random.integers(0, 256, (6, 8, 4)), (0, 0), STEP, 0, 0) for _ in range(3)]
        data = made(kind, stored).getvalue()
        for length in range(21, len(data) - 1):
            with pytest.raises(InputError):
                list(open_clip(io.BytesIO(data[:length])))

    @both
    def test_the_frames_before_damage_are_read_if_that_is_ok(self, kind: str):
        random = np.random.default_rng(2)
        stored = [(random.integers(0, 256, (6, 8, 4)), (0, 0), STEP, 0, 0) for _ in range(3)]
        data = made(kind, stored).getvalue()[:-40]
        with pytest.raises(DamagedError, match=r"is damaged at 0\.200 s, after 2 frames"):
            list(AnimationReader(io.BytesIO(data)))
        reader = AnimationReader(io.BytesIO(data), damaged_ok=True)
        assert len(list(reader)) == 2
        assert reader.notes == ["the clip in memory is damaged at 0.200 s: the 2 frames before it were used"]

    def test_a_wrong_checksum_is_damage(self):
        data = bytearray(made("apng", [(filled(one), (0, 0), STEP, 0, 0) for one in (RED, BLUE)]).getvalue())
        data[data.rindex(b"IEND") - 5] ^= 1  # the last byte of the last picture's, which nothing else tells
        with pytest.raises(DamagedError, match=r"at 0\.100 s, after 1 frames"):
            list(AnimationReader(io.BytesIO(bytes(data))))

    def test_a_missing_picture_is_damage(self):
        """The numbers of the chunks tell."""
        data = made("apng", [(filled(one), (0, 0), STEP, 0, 0) for one in (RED, BLUE, GREEN)]).getvalue()
        start, end = (place - 4 for place in [at for at in range(len(data)) if data[at : at + 4] == b"fcTL"][1:])
        with pytest.raises(DamagedError):
            list(AnimationReader(io.BytesIO(data[:start] + data[end:])))

    def test_fewer_pictures_than_stated_are_damage(self):
        data = made("apng", [(filled(one), (0, 0), STEP, 0, 0) for one in (RED, BLUE)]).getvalue()
        data = data.replace(chunk(b"acTL", struct.pack(">II", 2, 1)), chunk(b"acTL", struct.pack(">II", 3, 1)))
        with pytest.raises(DamagedError, match=r"at 0\.200 s, after 2 frames"):
            list(AnimationReader(io.BytesIO(data)))

    def test_what_is_an_animation(self, tmp_path: Path):
        still = png(np.zeros((4, 4)), 0)
        (tmp_path / "still.png").write_bytes(still)
        (tmp_path / "50% %d.webp").write_bytes(webp([(filled(RED), (0, 0), STEP, 0, 0)] * 2))
        film(tmp_path / "film.mp4", range(3), F(1, 10))
        assert not any(is_animation(tmp_path / name) for name in ("still.png", "film.mp4", "none", "."))
        source = ClipSource(tmp_path / "50% %d.webp")
        assert is_animation(source.path)
        assert len(list(source.open())) == 2
        assert source.sound() is None
        assert source.extras() is None

    def test_one_picture_is_an_image_and_several_are_none(self, tmp_path: Path):
        stored = [(filled(RED), (0, 0), STEP, 0, 0)] * 2
        for name, data in (("one.png", apng(stored[:1])), ("a.png", apng(stored)), ("a.webp", webp(stored))):
            (tmp_path / name).write_bytes(data)
        assert tuple(shown(read_image(tmp_path / "one.png"))[0, 0]) == RED
        for name in ("a.png", "a.webp"):
            with pytest.raises(InputError, match="is an animation of 2 pictures: exactly one picture is needed"):
                read_image(tmp_path / name)

    def test_a_rate_cannot_be_set(self, tmp_path: Path):
        (tmp_path / "a.webp").write_bytes(webp([(filled(RED), (0, 0), STEP, 0, 0)] * 2))
        with pytest.raises(InputError, match="has its own frame rate"):
            open_clip(tmp_path / "a.webp", rate=F(24))


def test_libwebp_and_ffmpeg_write_what_is_read(tmp_path: Path):
    """Not only files of our own: libwebp's encoder stores parts that changed."""
    pictures = []
    with av.open(str(tmp_path / "a.webp"), "w") as out:
        stream = out.add_stream("libwebp_anim", rate=10, options={"lossless": "1"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "bgra"
        for k in range(4):
            picture = np.full((48, 64, 4), 255, np.uint8)
            picture[10:20, 8 * k : 8 * k + 20] = (50 * k, 9, 200, 255)
            pictures.append(picture[..., [2, 1, 0, 3]])
            out.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="bgra")))
        out.mux(stream.encode(None))
    reader = open_clip(tmp_path / "a.webp")
    assert [frame.time for frame in reader] == [F(k, 10) for k in range(4)]
    assert all(np.array_equal(shown(frame).round(), wanted) for frame, wanted in zip(reader, pictures, strict=True))


def test_the_command_keeps_times_and_alpha(tmp_path: Path):
    lasts = [F(1, 10), F(1, 20), F(1, 4)]
    (tmp_path / "a.webp").write_bytes(webp([(filled(RED), (0, 0), one, CLEAR, OVER) for one in lasts[:2]]
                                           + [(filled(GREEN, 2, 2), (0, 0), lasts[2], 0, OVER)]))  # fmt: skip
    given = ("interpolate", tmp_path / "a.webp", tmp_path / "out.mkv", "--codec", "ffv1", "--model", "nearest", "--times", "2")
    assert __main__.main([*map(str, given)]) == 0
    frames = list(open_clip(tmp_path / "out.mkv"))
    assert [frame.time for frame in frames] == [F(0), F(1, 20), F(1, 10), F(1, 8), F(3, 20), F(11, 40)]
    assert frames[-1].alpha is not None
    assert float(frames[-1].alpha[0, 0, 0]), float(frames[-1].alpha[0, 5, 5]) == (1, 0)
