"""Interlaced video becomes whole frames, telecined film its own frames, each at its exact time, wherever reading starts."""

from __future__ import annotations

import shutil
import subprocess
from fractions import Fraction as F
from itertools import pairwise
from pathlib import Path

import fielded as made
import numpy as np
import pytest
import torch

from vfi.clips.clip import Trimmed
from vfi.clips.open import ClipSource
from vfi.clips.video import VideoReader
from vfi.clips.video import fields as fields_of_clips
from vfi.core import InputError

NTSC, FILM = F(30000, 1001), F(24000, 1001)
FFMPEG = shutil.which("ffmpeg")


def luma(frame) -> np.ndarray:
    """The 8-bit luma of a grey frame of limited range."""
    return (frame.rgb[1] * 219 + 16).round().to(torch.uint8).numpy()


def assert_seeks(reader: VideoReader) -> None:
    """Reading from any time gives the same frames at the same times as reading all."""
    whole = list(reader)
    for index, wanted in enumerate(whole):
        for before in (0, 2):
            first = max(index - before, 0)
            some = reader.since(wanted.time + wanted.duration / 3, before)
            for expected, frame in zip(whole[first : first + 3], some, strict=False):
                assert (frame.time, frame.duration) == (expected.time, expected.duration)
                assert torch.equal(frame.rgb, expected.rgb)


class TestInterlaced:
    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_frames_keep_one_field_their_times_and_their_rate(self, tmp_path: Path, ending: str):
        source = made.interlaced(20)
        reader = VideoReader(made.coded(tmp_path / f"fields.{ending}", source, F(25)))
        frames = list(reader)
        assert [frame.time for frame in frames] == [F(k, 25) for k in range(20)]
        assert reader.info.rate == 25
        assert not reader.info.interlaced
        assert reader.notes == ["the clip is interlaced: its frames are deinterlaced, at the same frame rate"]
        for index, (frame, woven) in enumerate(zip(frames[1:], source[1:], strict=True), start=1):
            assert np.array_equal(luma(frame)[::2], woven[::2])  # the field shown first, bit for bit
            progressive = made.picture(2 * index, step=1).astype(int)
            combed = np.abs(woven.astype(int) - progressive).mean()
            assert np.abs(luma(frame).astype(int) - progressive).mean() < combed / 2

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_any_start_gives_the_same_frames(self, tmp_path: Path, ending: str):
        assert_seeks(VideoReader(made.coded(tmp_path / f"fields.{ending}", made.interlaced(40), F(25))))

    def test_off_keeps_both_fields(self, tmp_path: Path):
        source = made.interlaced(6)
        reader = VideoReader(made.coded(tmp_path / "fields.mp4", source, F(25)), deinterlace="off")
        assert all(np.array_equal(luma(frame), woven) for frame, woven in zip(reader, source, strict=True))
        assert reader.notes == ["the clip is interlaced: the two fields of a frame are treated as one picture"]

    def test_progressive_frames_stay_bit_for_bit(self, tmp_path: Path):
        source = [made.picture(k) for k in range(6)]
        reader = VideoReader(made.coded(tmp_path / "whole.mp4", source, F(25), options={"qp": "0"}, order="prog"))
        assert all(np.array_equal(luma(frame), picture) for frame, picture in zip(reader, source, strict=True))
        assert reader.notes == []

    def test_frames_are_told_apart_by_their_own_flags(self, tmp_path: Path):
        options = {"flags": "+ildct+ilme", "g": "6", "bf": "2", "b": "8M"}
        source = [*(made.picture(k, step=1) for k in range(15)), *made.interlaced(20)]
        fields = made.coded(tmp_path / "fields.mp4", source, F(25), "mpeg2video", options)
        path = made.flagged_whole(tmp_path / "mixed.mp4", fields, F(25), 15)
        mended, woven = VideoReader(path), VideoReader(path, deinterlace="off")
        same = [torch.equal(one.rgb, other.rgb) for one, other in zip(mended, woven, strict=True)]
        assert same == [True] * 15 + [False] * 20
        assert mended.notes == ["the clip is interlaced in parts: these frames are deinterlaced, at the same frame rate"]
        assert woven.notes == ["the clip is interlaced in parts: the two fields of a frame are treated as one picture"]
        assert_seeks(VideoReader(path))

    def test_the_field_order_that_matroska_states_counts_where_pictures_have_no_flag(self, tmp_path: Path):
        source = made.interlaced(8)
        upper, lower = (
            VideoReader(made.coded(tmp_path / f"{order}.mkv", source, F(25), "ffv1", {}, field_order=order)) for order in (2, 3)
        )
        assert all(np.array_equal(luma(frame)[::2], woven[::2]) for frame, woven in zip(upper, source, strict=True))
        assert all(np.array_equal(luma(frame)[1::2], woven[1::2]) for frame, woven in zip(lower, source, strict=True))
        assert "deinterlaced" in upper.notes[0]

    def test_deep_pictures_keep_their_depth(self, tmp_path: Path):
        source = made.interlaced(6)
        options = {"flags": "+ildct"}
        path = made.coded(tmp_path / "fields.mov", source, F(25), "prores_ks", options, "yuv422p10le", field_order=2)
        reader = VideoReader(path)
        assert reader.info.depth == 10
        assert "deinterlaced" in reader.notes[0]
        assert len(list(reader)) == 6

    def test_the_separate_fields_of_hevc_are_named(self, tmp_path: Path):
        options = {"x265-params": "interlace=1:log-level=error"}
        reader = VideoReader(made.coded(tmp_path / "fields.mp4", made.interlaced(6), F(25), "libx265", options))
        assert len(list(reader)) == 6
        assert reader.notes == [
            "the clip is interlaced: HEVC holds each field as a picture, and they are read as frames of half the height"
        ]

    @pytest.mark.skipif(FFMPEG is None, reason="ffmpeg is not installed")
    @pytest.mark.parametrize("order", ["tff", "bff"])
    def test_pixels_are_those_of_the_ffmpeg_program(self, tmp_path: Path, order: str):
        path = made.coded(tmp_path / "fields.mp4", made.interlaced(30), F(25), order=order)
        asked = ["-i", str(path), "-vf", "bwdif=mode=send_frame", "-f", "rawvideo", "-"]
        raw = subprocess.run([str(FFMPEG), "-v", "error", *asked], capture_output=True, check=True).stdout
        width, height = made.SIZE
        theirs = np.frombuffer(raw, np.uint8).reshape(-1, height * 3 // 2, width)[:, :height]
        ours = [luma(frame) for frame in VideoReader(path)]
        assert len(ours) == len(theirs) == 30
        # FFmpeg 5 makes the first frame, which has none before it, in another way than 8
        assert all(np.array_equal(our, their) for our, their in zip(ours[1:], theirs[1:], strict=True))


class TestTelecined:
    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_film_gets_its_own_frames_and_rate_back(self, tmp_path: Path, ending: str):
        reader = VideoReader(made.coded(tmp_path / f"film.{ending}", made.telecine(10), NTSC))
        assert (reader.info.rate, reader.info.frames) == (FILM, 40)
        assert reader.notes == [
            "the clip is telecined film: 3:2 pulldown is removed, which leaves 24000/1001 frames per second"
        ]
        frames = list(reader)
        assert len(frames) == 40
        for index, frame in enumerate(frames):
            assert np.array_equal(luma(frame), made.picture(index))
        steady = frames[:36] if ending == "mkv" else frames  # the end that Matroska states is rounded
        assert all(frame.time == index / FILM for index, frame in enumerate(steady))
        assert all(now.time + now.duration == then.time for now, then in pairwise(frames))
        assert all((frame.time / reader.info.time_base).denominator == 1 for frame in frames)

    @pytest.mark.parametrize("ending", ["mp4", "mkv"])
    def test_any_start_gives_the_same_frames(self, tmp_path: Path, ending: str):
        assert_seeks(VideoReader(made.coded(tmp_path / f"film.{ending}", made.telecine(12), NTSC)))

    def test_a_part_is_the_same_part_of_the_whole(self, tmp_path: Path):
        path = made.coded(tmp_path / "film.mp4", made.telecine(12), NTSC)
        part = list(ClipSource(path, start=20 / FILM, end=30 / FILM).open())
        assert [frame.time for frame in part] == [k / FILM for k in range(10)]
        assert all(np.array_equal(luma(frame), made.picture(20 + k)) for k, frame in enumerate(part))
        assert isinstance(ClipSource(path, start=1 / FILM).open(), Trimmed)

    def test_it_is_found_only_where_pictures_are_flagged_or_asked_for(self, tmp_path: Path):
        path = made.coded(tmp_path / "film.mp4", made.telecine(6), NTSC, options={"qp": "0", "bf": "0"}, order="prog")
        plain, asked = VideoReader(path), VideoReader(path, deinterlace="telecine")
        assert (len(list(plain)), plain.notes) == (30, [])
        assert all(np.array_equal(luma(frame), made.picture(k)) for k, frame in enumerate(asked))
        assert asked.info.rate == FILM

    def test_video_between_film_keeps_its_frames(self, tmp_path: Path):
        video = made.woven([(120 + 2 * k, 121 + 2 * k) for k in range(10)], step=2)
        path = made.coded(tmp_path / "mixed.mp4", [*made.telecine(20), *video], NTSC)
        reader = VideoReader(path)
        assert [frame.time for frame in list(reader)[-5:]] == [F(105 + k) / NTSC for k in range(5)]
        assert_seeks(reader)

    def test_interlaced_video_is_not_taken_for_film(self, tmp_path: Path):
        reader = VideoReader(made.coded(tmp_path / "fields.mp4", made.interlaced(40), NTSC))
        assert (reader.info.rate, len(list(reader))) == (NTSC, 40)

    def test_ten_bits_are_deinterlaced_instead(self, tmp_path: Path):
        path = made.coded(tmp_path / "film.mp4", made.telecine(6), NTSC, layout="yuv420p10le")
        reader = VideoReader(path)
        assert (reader.info.depth, reader.info.rate, len(list(reader))) == (10, NTSC, 30)
        assert "deinterlaced" in reader.notes[0]
        with pytest.raises(InputError, match="pictures in yuv420p10le: only Y'CbCr of 8 bits"):
            VideoReader(path, deinterlace="telecine")

    def test_pictures_without_chroma_are_refused(self, tmp_path: Path):
        path = made.coded(tmp_path / "grey.mkv", made.telecine(2), NTSC, "ffv1", {}, "gray")
        with pytest.raises(InputError, match="pictures in gray: only Y'CbCr"):
            VideoReader(path, deinterlace="telecine")

    @pytest.mark.parametrize("ending", ["mp4", "mkv", "ts"])
    def test_fields_repeated_by_flags_become_even_frames(self, tmp_path: Path, ending: str):
        reader = VideoReader(made.repeated_by_flags(tmp_path / f"film.{ending}", 60))
        assert reader.info.rate == FILM
        assert "its frames follow evenly, at 24000/1001 per second" in reader.notes[0]
        frames = list(reader)
        assert len(frames) == 60
        assert [frame.time - frames[1].time for frame in frames[1:59]] == [k / FILM for k in range(58)]
        assert all((frame.time / reader.info.time_base).denominator == 1 for frame in frames[:59])
        assert_seeks(reader)

    def test_off_keeps_the_times_of_repeated_fields(self, tmp_path: Path):
        reader = VideoReader(made.repeated_by_flags(tmp_path / "film.mp4", 40), deinterlace="off")
        times = [frame.time / F(1001, 60000) for frame in reader]
        assert times[:6] == [0, 2, 5, 7, 10, 12]


def test_every_third_frame_held_is_no_pulldown():
    assert not fields_of_clips.is_cadence(k * F(1001, 30000) for k in range(60))
    assert not fields_of_clips.is_cadence(F(k, 25) for k in range(60))
    assert not fields_of_clips.is_cadence([])
