"""Images: every kind is read as it is meant, folders are clips in natural order, and a folder appears only when whole."""

from __future__ import annotations

import gc
import re
import struct
from dataclasses import replace
from fractions import Fraction as F
from pathlib import Path

import av
import cv2
import numpy as np
import pytest
import torch
from footage import exif, fail, moving, png

from vfi.clips import exr, yuv
from vfi.clips.clip import Colour, Encoding, Info, transfer_of
from vfi.clips.images import ImageReader, ImageWriter, read_image
from vfi.clips.open import ClipSource, create_clip, open_clip
from vfi.core import Frame, InputError
from vfi.pixels.transfer import named
from vfi.timing.positions import Position

DATA = Path(__file__).parents[1] / "data" / "images"
RANDOM = np.random.default_rng(0)
SMALL = Info(64, 48, rate=F(24))


def rows(frame: Frame, top: int = 255) -> np.ndarray:
    """[H,W,3] samples as stored."""
    return (frame.rgb * top).round().permute(1, 2, 0).numpy().astype(int)


def write(path: Path, info: Info, frames) -> ImageWriter:
    with create_clip(path, info) as writer:
        for frame in frames:
            writer.write(frame)
    assert isinstance(writer, ImageWriter)
    return writer


class TestOneImage:
    @pytest.mark.parametrize("depth", [8, 16])
    @pytest.mark.parametrize(("kind", "channels"), [(0, 1), (2, 3), (4, 2), (6, 4)], ids=["grey", "rgb", "grey-alpha", "rgba"])
    def test_png_keeps_every_sample(self, tmp_path: Path, kind: int, channels: int, depth: int):
        top = 2**depth - 1
        samples = RANDOM.integers(0, top + 1, (5, 7, channels))
        (tmp_path / "a.png").write_bytes(png(samples, kind, depth=depth))
        frame = read_image(tmp_path / "a.png")
        colours = samples[..., :3] if channels > 2 else np.repeat(samples[..., :1], 3, 2)
        assert np.array_equal(rows(frame, top), colours)
        assert (frame.alpha is not None) == (channels in (2, 4))
        if frame.alpha is not None:
            assert np.array_equal((frame.alpha[0] * top).round().int().numpy(), samples[..., -1])
        assert (frame.time, frame.duration) == (0, 0)

    @pytest.mark.parametrize("transparent", [None, bytes([255, 0, 128])])
    def test_palettes_with_and_without_transparency(self, tmp_path: Path, transparent: bytes | None):
        palette = RANDOM.integers(0, 256, (16, 3))
        indices = RANDOM.integers(0, 16, (6, 9))
        extra = [(b"PLTE", palette.astype(np.uint8).tobytes()), *([(b"tRNS", transparent)] if transparent else [])]
        (tmp_path / "a.png").write_bytes(png(indices, 3, extra=extra))
        frame = read_image(tmp_path / "a.png")
        assert np.array_equal(rows(frame), palette[indices])
        if transparent is None:
            assert frame.alpha is None
        else:
            opacity = np.full(16, 255)
            opacity[:3] = list(transparent)
            assert frame.alpha is not None
            assert np.array_equal((frame.alpha[0] * 255).round().int().numpy(), opacity[indices])

    def test_one_bit(self, tmp_path: Path):
        bits = RANDOM.integers(0, 2, (5, 11))
        (tmp_path / "a.png").write_bytes(png(bits, 0, depth=1))
        assert np.array_equal(rows(read_image(tmp_path / "a.png"))[..., 0], bits * 255)

    def test_cmyk(self):
        frame = read_image(DATA / "cmyk.jpg")
        expected = [(0, 255, 255), (255, 0, 255), (255, 255, 0), (0, 0, 0), (255, 255, 255), (95, 143, 191)]
        found = rows(frame)[8, 4::8]
        assert np.abs(found - expected).max() <= 3
        assert frame.alpha is None

    @pytest.mark.parametrize("quality", [{}, {"sub": True}], ids=["444", "420"])
    def test_jpeg_is_what_opencv_reads(self, tmp_path: Path, quality):
        picture = cv2.resize(RANDOM.integers(0, 256, (6, 9, 3), dtype=np.uint8), (90, 60), interpolation=cv2.INTER_CUBIC)
        sampling = cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420 if quality else cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444
        cv2.imwrite(
            str(tmp_path / "a.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 98, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, sampling]
        )
        theirs = cv2.imread(str(tmp_path / "a.jpg"))[..., ::-1]
        assert np.abs(rows(read_image(tmp_path / "a.jpg")) - theirs).mean() < 1

    @pytest.mark.parametrize("ending", [".webp", ".tif", ".bmp", ".png"])
    @pytest.mark.parametrize("depth", [8, 16])
    def test_other_kinds(self, tmp_path: Path, ending: str, depth: int):
        if depth == 16 and ending in (".webp", ".bmp"):
            pytest.skip("8 bit only")
        top = 2**depth - 1
        samples = RANDOM.integers(0, top + 1, (12, 18, 3)).astype(np.uint8 if depth == 8 else np.uint16)
        cv2.imwrite(str(tmp_path / f"a{ending}"), samples[..., ::-1], [cv2.IMWRITE_WEBP_QUALITY, 101])
        frame = read_image(tmp_path / f"a{ending}")
        assert np.array_equal(rows(frame, top), samples)
        assert frame.alpha is None

    def test_grey_jpeg_is_of_full_range(self, tmp_path: Path):
        cv2.imwrite(str(tmp_path / "a.jpg"), np.full((16, 16), 200, np.uint8))
        assert np.abs(rows(read_image(tmp_path / "a.jpg")) - 200).max() <= 1

    @pytest.mark.parametrize(("tag", "shape"), [(3, (4, 6)), (6, (6, 4)), (2, (4, 6))])
    def test_orientation_is_honoured(self, tmp_path: Path, tag: int, shape: tuple[int, int]):
        samples = RANDOM.integers(0, 256, (4, 6, 3))
        (tmp_path / "a.png").write_bytes(png(samples, 2, extra=[(b"eXIf", exif(tag))]))
        upright = {3: samples[::-1, ::-1], 6: np.rot90(samples, -1), 2: samples[:, ::-1]}[tag]
        frame = read_image(tmp_path / "a.png")
        assert frame.rgb.shape == (3, *shape)
        assert np.array_equal(rows(frame), upright)

    @pytest.mark.parametrize("size", [(1, 1), (31, 17), (512, 2), (1, 33)])
    def test_any_size(self, tmp_path: Path, size: tuple[int, int]):
        samples = RANDOM.integers(0, 256, (*size, 3))
        (tmp_path / "a.png").write_bytes(png(samples, 2))
        assert np.array_equal(rows(read_image(tmp_path / "a.png")), samples)

    def test_the_name_does_not_matter(self, tmp_path: Path):
        samples = RANDOM.integers(0, 256, (5, 7, 3))
        (tmp_path / "a 100%03d.mp4").write_bytes(png(samples, 2))
        assert np.array_equal(rows(read_image(tmp_path / "a 100%03d.mp4")), samples)


class TestFolders:
    @pytest.mark.parametrize("alpha", [False, True])
    @pytest.mark.parametrize("depth", [8, 16])
    @pytest.mark.parametrize("name", ["shot", "shot/a_%03d.tif", "shot/%d.png"])
    def test_what_is_written_comes_back_to_the_bit(self, tmp_path: Path, name: str, depth: int, alpha: bool):
        made = list(moving(12, alpha=alpha))
        writer = write(tmp_path / name, replace(SMALL, depth=depth, alpha=alpha), made)
        reader = open_clip(tmp_path / name, rate=F(24))
        assert reader.info == replace(SMALL, path=tmp_path / name, depth=depth, alpha=alpha, frames=12, duration=F(1, 2),
                                      codec=reader.info.codec, colour=reader.info.colour, time_base=F(1, 24))  # fmt: skip
        top = 2**depth - 1
        for frame, before in zip(reader, made, strict=True):
            assert (frame.time, frame.duration) == (before.time, before.duration)
            assert torch.equal((frame.rgb * top).round(), (before.rgb * top).round())
            assert (frame.alpha is None) is not alpha
            assert not alpha or torch.equal(frame.alpha, before.alpha)
        assert writer.notes == []
        assert [path.name for path in tmp_path.iterdir()] == ["shot"]

    def test_numbers_are_read_as_numbers_and_other_files_left_alone(self, tmp_path: Path):
        for number in (10, 9, 100, 1):
            (tmp_path / f"shot{number}.png").write_bytes(png(np.full((4, 4), number), 0))
        (tmp_path / "notes.txt").write_text("not an image")
        (tmp_path / "._shot5.png").write_bytes(b"what a Mac leaves behind")
        reader = ImageReader(tmp_path, F(10))
        assert [int(rows(frame)[0, 0, 0]) for frame in reader] == [1, 9, 10, 100]
        assert [frame.time for frame in reader] == [0, F(1, 10), F(2, 10), F(3, 10)]

    @pytest.mark.parametrize(
        ("time", "before", "first"),
        [(F(0), 0, 0), (F(-1), 1, 0), (F(25, 100), 0, 2), (F(3, 10), 2, 1), (F(9), 0, 3), (F(9), 1, 2)],
    )
    def test_a_clip_is_read_from_anywhere(self, tmp_path: Path, time: F, before: int, first: int):
        for number in range(4):
            (tmp_path / f"{number}.png").write_bytes(png(np.full((4, 4), number), 0))
        read = list(ImageReader(tmp_path, F(10)).since(time, before))
        assert [int(rows(frame)[0, 0, 0]) for frame in read] == list(range(first, 4))
        assert [frame.time for frame in read] == [F(k, 10) for k in range(first, 4)]

    def test_a_pattern_names_one_of_several_series(self, tmp_path: Path):
        for name in ("left.0001.png", "left.0002.png", "right.0001.png", "left.0001.jpg"):
            (tmp_path / name).write_bytes(png(np.zeros((4, 4)), 0))
        assert ImageReader(tmp_path / "left.%04d.png").info.frames == 2
        with pytest.raises(InputError, match=r"mixes images of \.jpg, \.png"):
            ImageReader(tmp_path)

    def test_a_folder_of_images_has_24_frames_a_second_unless_told(self, tmp_path: Path):
        (tmp_path / "1.png").write_bytes(png(np.zeros((4, 4)), 0))
        assert open_clip(tmp_path).info.rate == 24
        assert open_clip(tmp_path, rate=F(30000, 1001)).info.duration == F(1001, 30000)

    def test_listed_files(self, tmp_path: Path):
        for number in (2, 1):
            (tmp_path / f"{number}.png").write_bytes(png(np.full((4, 4), number), 0))
        reader = ImageReader((tmp_path / "2.png", tmp_path / "1.png"))
        assert [int(rows(frame)[0, 0, 0]) for frame in reader] == [2, 1]
        assert reader.info.path is None

    def test_different_sizes_name_both_files(self, tmp_path: Path):
        (tmp_path / "1.png").write_bytes(png(np.zeros((4, 4)), 0))
        (tmp_path / "2.png").write_bytes(png(np.zeros((4, 6)), 0))
        with pytest.raises(InputError, match=r"2\.png is 6x4, but .*1\.png is 4x4"):
            list(ImageReader(tmp_path))

    @pytest.mark.parametrize(
        ("name", "message"),
        [("none", "does not exist"), ("none/%d.png", "does not exist"), ("empty", "no images"), ("empty/%d.png", "no images")],
    )
    def test_without_images_it_says_so(self, tmp_path: Path, name: str, message: str):
        (tmp_path / "empty").mkdir()
        with pytest.raises(InputError, match=message):
            open_clip(tmp_path / name)

    def test_a_rate_is_for_images_only(self, tmp_path: Path):
        (tmp_path / "1.png").write_bytes(png(np.zeros((4, 4)), 0))
        with pytest.raises(InputError, match="can only be set for a folder of images"):
            open_clip(tmp_path / "1.png", rate=F(24))


class TestSafety:
    def test_pictures_do_not_wait_for_the_garbage_collector(self, tmp_path: Path):
        """Each would stay in memory until Python collects rings of objects, hundreds of images later."""
        for number in range(5):
            cv2.imwrite(str(tmp_path / f"{number}.png"), np.full((47, 61, 3), number, np.uint8))
        gc.collect()
        gc.disable()
        try:
            assert len(list(ImageReader(tmp_path))) == 5
            held = [one for one in gc.get_objects() if type(one) is av.VideoFrame and (one.width, one.height) == (61, 47)]
        finally:
            gc.enable()
        assert not held

    def test_a_folder_with_anything_in_it_is_refused(self, tmp_path: Path):
        (tmp_path / "shot").mkdir()
        (tmp_path / "shot" / "mine.txt").write_text("keep me")
        with pytest.raises(InputError, match="not empty"):
            create_clip(tmp_path / "shot", SMALL)
        assert [path.name for path in tmp_path.iterdir()] == ["shot"]

    def test_an_empty_folder_is_taken(self, tmp_path: Path):
        (tmp_path / "shot").mkdir()
        write(tmp_path / "shot", SMALL, moving(2))
        assert sorted(path.name for path in (tmp_path / "shot").iterdir()) == ["000000.png", "000001.png"]

    def test_an_error_leaves_nothing_and_ctrl_c_what_is_done(self, tmp_path: Path):
        for error in (RuntimeError, KeyboardInterrupt):
            writer = create_clip(tmp_path / "shot", SMALL)
            with pytest.raises(error):
                fail(writer, 3, error())
        assert writer.partial == tmp_path / "shot.partial"
        assert [path.name for path in tmp_path.iterdir()] == ["shot.partial"]
        assert len(list(ImageReader(tmp_path / "shot.partial"))) == 3

    @pytest.mark.parametrize(
        ("name", "encoding", "message"),
        [
            ("shot/%d%d.png", Encoding(), "is not an image pattern"),
            ("shot/%s.png", Encoding(), "is a single image"),
            ("shot/%d.jpg", Encoding(), "is not an image pattern"),
            ("shot", Encoding("h264"), "codec or crf was set"),
            ("shot", Encoding(crf=3), "codec or crf was set"),
            ("none/shot", Encoding(), "there is no folder"),
            ("file", Encoding(), "is a file"),
        ],
    )
    def test_what_cannot_be_written_is_said_before_any_work(self, tmp_path: Path, name: str, encoding: Encoding, message: str):
        (tmp_path / "file").write_text("a file")
        with pytest.raises(InputError, match=message):
            create_clip(tmp_path / name, SMALL, encoding=encoding)
        assert [path.name for path in tmp_path.iterdir()] == ["file"]


class TestFloats:
    """EXR holds light: what is below 0 and above 1 survives, and codes become light."""

    LIGHT = torch.tensor([-0.5, 0.0, 0.18, 1.0, 7.25, 60000.0])

    def picture(self) -> torch.Tensor:
        return self.LIGHT.expand(3, 4, 6) * torch.tensor([1.0, 0.5, 0.25])[:, None, None]

    @pytest.mark.parametrize("alpha", [False, True])
    @pytest.mark.parametrize("depth", [16, 32])
    def test_what_is_written_comes_back(self, tmp_path: Path, depth: int, alpha: bool):
        values = torch.randn(3, 5, 7) * 100 if depth == 32 else (torch.randn(3, 5, 7) * 100).half().float()
        opacity = torch.tensor(RANDOM.choice([0, 0.5, 1], (1, 5, 7)), dtype=torch.float32) if alpha else None
        info = Info(7, 5, depth=depth, alpha=alpha, floats=True, colour=Colour(0, transfer=8))
        write(tmp_path / "shot", info, [Frame(values, F(0), alpha=opacity)])
        reader = ImageReader(tmp_path / "shot")
        assert (reader.info.depth, reader.info.floats, reader.info.alpha) == (depth, True, alpha)
        assert transfer_of(reader.info).name == "linear"
        (frame,) = reader
        assert torch.equal(frame.rgb, values)
        assert frame.alpha is None if opacity is None else torch.equal(frame.alpha, opacity)
        assert (tmp_path / "shot" / "000000.exr").exists()

    def test_halves_are_rounded_and_do_not_become_infinite(self, tmp_path: Path):
        values = torch.tensor([1.0004, 1.0006, -1e6, 1e6]).expand(3, 1, 4)
        write(tmp_path / "a_%d.exr", Info(4, 1, floats=True, colour=Colour(0, transfer=8)), [Frame(values, F(0))])
        assert read_image(tmp_path / "a_0.exr").rgb[0, 0].tolist() == [1, 1 + 2**-10, -65504, 65504]

    def test_colours_are_multiplied_by_alpha_in_the_file(self, tmp_path: Path):
        frame = Frame(torch.full((3, 1, 1), 3.0), F(0), alpha=torch.full((1, 1, 1), 0.25))
        write(tmp_path / "a_%d.exr", Info(1, 1, alpha=True, floats=True, colour=Colour(0, transfer=8)), [frame])
        with av.open(str(tmp_path / "a_0.exr")) as container:
            picture = next(container.decode(video=0))
        assert [float(plane[0, 0]) for plane in yuv.planes_of(picture)] == [0.75, 0.75, 0.75, 0.25]

    def test_float_tiff(self, tmp_path: Path):
        cv2.imwrite(str(tmp_path / "a.tif"), self.picture().flip(0).permute(1, 2, 0).numpy(), [cv2.IMWRITE_TIFF_COMPRESSION, 1])
        assert torch.equal(read_image(tmp_path / "a.tif").rgb, self.picture())
        assert ImageReader([tmp_path / "a.tif"]).info.floats

    @pytest.mark.parametrize(("colour", "curve"), [(Colour(9, 9, 16), "pq"), (Colour(9, 9, 18), "hlg"), (Colour(0), "srgb")])
    def test_codes_become_light(self, tmp_path: Path, colour: Colour, curve: str):
        codes = torch.linspace(0, 1, 18).expand(3, 1, 18)
        write(tmp_path / "a_%d.exr", Info(18, 1, depth=32, colour=colour), [Frame(codes, F(0))])
        read = read_image(tmp_path / "a_0.exr").rgb
        assert torch.equal(read, named(curve).light(codes))
        assert read.max() == pytest.approx({"pq": 100, "hlg": 1, "srgb": 1}[curve], rel=1e-4)

    @pytest.mark.parametrize("ending", [".png", ".tif"])
    def test_light_becomes_srgb(self, tmp_path: Path, ending: str):
        writer = write(
            tmp_path / f"a_%d{ending}",
            Info(6, 4, depth=32, floats=True, colour=Colour(0, transfer=8)),
            [Frame(self.picture(), F(0))],
        )
        expected = named("srgb").code(self.picture().clamp(0, 1))
        torch.testing.assert_close(read_image(tmp_path / f"a_0{ending}").rgb, expected, atol=1e-5, rtol=0)
        assert writer.notes == [f"light above 1 is clipped in {ending} images: .exr keeps it"]

    @pytest.mark.parametrize("left", [0.02, 0.5, 0.99])
    def test_a_file_cut_short_is_an_error(self, tmp_path: Path, left: float):
        write(tmp_path / "a_%d.exr", Info(64, 64, floats=True), [Frame(torch.rand(3, 64, 64), F(0))])
        data = (tmp_path / "a_0.exr").read_bytes()
        (tmp_path / "b.exr").write_bytes(data[: int(len(data) * left)])
        with pytest.raises(InputError, match=r"b\.exr"):
            read_image(tmp_path / "b.exr")


def test_pyav_reads_what_is_written(tmp_path: Path):
    """The files are what their endings say."""
    for ending, codec in ((".png", "png"), (".tif", "tiff")):
        write(tmp_path / f"{codec}/%d{ending}", SMALL, moving(1))
        with av.open(str(tmp_path / codec / f"0{ending}")) as container:
            assert container.streams.video[0].codec_context.name == codec


class TestNames:
    """A pattern is what has exactly one %d; other percent signs are themselves, as is an existing file or folder."""

    @pytest.mark.parametrize("name", ["50% speed.mp4", "100%.mkv", "%d.mp4", "%05d%d.mov"])
    def test_of_videos(self, tmp_path: Path, name: str):
        with create_clip(tmp_path / name, SMALL) as writer:
            for frame in moving(3):
                writer.write(frame)
        assert len(list(open_clip(tmp_path / name))) == 3
        assert ClipSource(tmp_path / name).sound() is None
        assert [path.name for path in tmp_path.iterdir()] == [name]

    @pytest.mark.parametrize("name", ["50%", "50% d", "%"])
    def test_of_folders(self, tmp_path: Path, name: str):
        write(tmp_path / name, SMALL, moving(2))
        assert sorted(path.name for path in (tmp_path / name).iterdir()) == ["000000.png", "000001.png"]
        assert len(list(open_clip(tmp_path / name))) == 2

    @pytest.mark.parametrize("pattern", ["50%_%05d.png", "%d%.png", "%s%d.png", "%%d.png"])
    def test_of_images(self, tmp_path: Path, pattern: str):
        write(tmp_path / "shot" / pattern, SMALL, moving(3))
        assert len(list((tmp_path / "shot").iterdir())) == 3
        assert len(list(open_clip(tmp_path / "shot" / pattern))) == 3
        assert ClipSource(tmp_path / "shot" / pattern).sound() is None

    def test_an_existing_folder_is_no_pattern(self, tmp_path: Path):
        (tmp_path / "take %d").mkdir()
        (tmp_path / "take %d" / "1.png").write_bytes(png(np.zeros((4, 4)), 0))
        assert len(list(open_clip(tmp_path / "take %d"))) == 1

    def test_two_numbers_are_refused(self, tmp_path: Path):
        with pytest.raises(InputError, match="exactly one %d"):
            open_clip(tmp_path / "%d_%d.png")


class TestAdvice:
    @pytest.mark.parametrize("ending", ["webp", "jpg", "png", "exr"])
    def test_on_a_single_image_can_be_taken(self, tmp_path: Path, ending: str):
        with pytest.raises(InputError, match="is a single image") as raised:
            create_clip(tmp_path / f"o.{ending}", SMALL)
        write(Path(str(raised.value).rpartition("such as ")[2]), SMALL, moving(2))

    def test_on_mixed_formats_can_be_taken(self, tmp_path: Path):
        for name in ("f1.jpg", "f2.jpg", "f3.jpeg"):
            encoded = cv2.imencode(".jpg", np.zeros((8, 8, 3), np.uint8))[1]
            (tmp_path / name).write_bytes(bytes(encoded))
        with pytest.raises(InputError, match=r"mixes images of \.jpeg, \.jpg") as raised:
            open_clip(tmp_path)
        assert len(list(open_clip(Path(str(raised.value).rpartition("such as ")[2])))) == 2


def encoded(codec: str, samples: np.ndarray, layout: str, **options: str) -> bytes:
    """An image made by FFmpeg's encoder."""
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(samples), format=layout)
    encoder = av.CodecContext.create(codec, "w")
    encoder.width, encoder.height, encoder.pix_fmt = picture.width, picture.height, layout
    encoder.time_base, encoder.options = F(1), options
    return b"".join(bytes(packet) for packet in (*encoder.encode(picture), *encoder.encode(None)))


LOSSLESS = {"jpeg2000": {"pred": "dwt53"}}


class TestFilmAndRenderFormats:
    """DPX, TGA, portable anymaps and JPEG 2000: every sample as stored, in folders whose endings may be capitals."""

    @pytest.mark.parametrize("size", [(1, 1), (23, 37)])
    @pytest.mark.parametrize(
        ("codec", "ending", "layout"),
        [
            *[("dpx", ".dpx", layout) for layout in ("rgb24", "rgba", "gray", "gray16be", "rgb48be", "rgb48le", "rgba64be")],
            *[("targa", ".TGA", layout) for layout in ("bgr24", "bgra", "gray")],
            *[("ppm", ".ppm", "rgb24"), ("ppm", ".pnm", "rgb48be"), ("pgm", ".PGM", "gray"), ("pgm", ".pnm", "gray16be")],
            *[("jpeg2000", ".jp2", layout) for layout in ("rgb24", "rgba", "gray", "gray16le", "rgb48le")],
            ("jpeg2000", ".j2k", "rgb24"),
        ],
    )
    def test_every_sample(self, tmp_path: Path, codec: str, ending: str, layout: str, size: tuple[int, int]):
        depth = 16 if "16" in layout or "48" in layout or "64" in layout else 8
        channels = 1 if "gray" in layout else 4 if "a" in layout else 3
        samples = RANDOM.integers(0, 2**depth, (*size, channels)).astype(np.uint16 if depth == 16 else np.uint8)
        given = samples[..., 0] if channels == 1 else samples[..., [2, 1, 0, 3][:channels]] if "bgr" in layout else samples
        options = {"format": "j2k"} if ending == ".j2k" else {}
        data = encoded(codec, given, layout, **LOSSLESS.get(codec, {}), **options)
        for number in (1, 2):
            (tmp_path / f"50% shot {number}{ending}").write_bytes(data)
        for source in (tmp_path, tmp_path / f"50% shot %d{ending}"):
            reader = open_clip(source)
            assert (reader.info.depth, reader.info.alpha, reader.info.frames, reader.notes) == (depth, channels == 4, 2, [])
            for frame in reader:
                colours = samples[..., :3] if channels > 1 else np.repeat(samples, 3, 2)
                assert np.array_equal(rows(frame, 2**depth - 1), colours)
                if channels == 4:
                    assert np.array_equal((frame.alpha[0] * (2**depth - 1)).round().int().numpy(), samples[..., 3])

    @pytest.mark.parametrize(("layout", "depth"), [("gbrp10le", 10), ("gbrp12le", 12)])
    def test_ten_and_twelve_bits_of_dpx(self, tmp_path: Path, layout: str, depth: int):
        planes = RANDOM.integers(0, 2**depth, (3, 6, 8)).astype(np.uint16)
        picture = av.VideoFrame(8, 6, layout)
        for into, plane in zip(yuv.planes_of(picture), planes, strict=True):
            into[:] = plane
        encoder = av.CodecContext.create("dpx", "w")
        encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 8, 6, layout, F(1)
        (tmp_path / "1.dpx").write_bytes(b"".join(map(bytes, encoder.encode(picture))))
        reader = open_clip(tmp_path)
        assert reader.info.depth == depth
        assert np.array_equal(rows(next(iter(reader)), 2**depth - 1), planes.transpose(1, 2, 0))
        write(tmp_path / "out", replace(reader.info, rate=F(24)), reader)
        assert open_clip(tmp_path / "out").info.depth == 16
        (again,) = open_clip(tmp_path / "out")
        assert np.array_equal(rows(again, 2**depth - 1), planes.transpose(1, 2, 0))

    @pytest.mark.parametrize(("code", "said"), [(1, "printing density"), (3, "a logarithm"), (6, None), (2, None)])
    def test_dpx_that_is_logarithmic(self, tmp_path: Path, code: int, said: str | None):
        data = bytearray(encoded("dpx", RANDOM.integers(0, 256, (4, 4, 3)).astype(np.uint8), "rgb24"))
        data[801] = code  # the transfer characteristic of the first image element
        (tmp_path / "1.dpx").write_bytes(data)
        notes = open_clip(tmp_path).notes
        assert notes == ([f"the DPX images hold {said}: frames are blended in these log codes"] if said else [])

    @pytest.mark.parametrize(
        ("data", "top", "codes"),
        [
            (b"P6 2 1 1023\n" + struct.pack(">6H", 0, 1, 512, 1023, 3, 4), 1023, [[0, 1, 512], [1023, 3, 4]]),
            (b"P5\n# of a camera\n3 1\n100\n" + bytes([0, 50, 100]), 100, [[0] * 3, [50] * 3, [100] * 3]),
            (b"P3\t1 2 255\n1 2 3\n4 5 6\n", 255, [[1, 2, 3], [4, 5, 6]]),
        ],
    )
    def test_headers_and_depths_of_portable_anymaps(self, tmp_path: Path, data: bytes, top: int, codes: list[list[int]]):
        (tmp_path / "a.ppm").write_bytes(data)
        found = (read_image(tmp_path / "a.ppm").rgb * top).flatten(1).T
        assert found.tolist() == [pytest.approx(one, abs=0.3) for one in codes]

    @pytest.mark.parametrize(
        ("bits", "alphas", "kept"), [(8, [0, 9], True), (8, [0, 0], True), (0, [0, 9], True), (0, [0, 0], False)]
    )
    def test_alpha_of_tga(self, tmp_path: Path, bits: int, alphas: list[int], kept: bool):
        """Programs that know no alpha write 32 bits with zeros there, and state that these are nothing."""
        header = struct.pack("<3B5x4H2B", 0, 0, 2, 0, 0, 2, 1, 32, 0x20 | bits)
        (tmp_path / "a.tga").write_bytes(header + bytes([1, 2, 3, alphas[0], 4, 5, 6, alphas[1]]))
        frame = read_image(tmp_path / "a.tga")
        assert rows(frame).tolist() == [[[3, 2, 1], [6, 5, 4]]]
        assert (frame.alpha is not None) is kept

    @pytest.mark.parametrize("left", [0.02, 0.5, 0.95])
    @pytest.mark.parametrize(
        ("codec", "layout"), [("dpx", "rgb24"), ("targa", "bgr24"), ("ppm", "rgb24"), ("pgm", "gray"), ("jpeg2000", "rgb24")]
    )
    def test_a_last_image_cut_short_is_an_error(self, tmp_path: Path, codec: str, layout: str, left: float):
        ending = {"targa": ".tga", "jpeg2000": ".jp2"}.get(codec, f".{codec}")
        samples = RANDOM.integers(0, 256, (64, 64, 3)).astype(np.uint8)
        data = encoded(codec, samples[..., 0] if layout == "gray" else samples, layout)
        (tmp_path / f"1{ending}").write_bytes(data)
        (tmp_path / f"2{ending}").write_bytes(data[: int(len(data) * left)])
        with pytest.raises(InputError, match=rf"2{re.escape(ending)} "):
            list(open_clip(tmp_path))

    def test_sycc_is_of_full_range(self, tmp_path: Path):
        """ISO 15444-1, annex M: grey is its code, whatever the range of video is."""
        planes = np.stack([np.full((8, 8), code, np.uint8) for code in (250, 128, 128)])
        (tmp_path / "a.jp2").write_bytes(encoded("jpeg2000", planes, "yuv444p", pred="dwt53"))
        assert rows(read_image(tmp_path / "a.jp2"))[0, 0].tolist() == [250, 250, 250]


def openexr(parts: list[dict[str, np.ndarray]], names: list[str] | None = None) -> bytes:
    """An EXR file (openexr.com, "OpenEXR File Layout") without compression; each part holds channels [H,W] by their names."""
    kinds = {"uint32": 0, "float16": 1, "float32": 2}
    heads, chunks = [], []
    for number, channels in enumerate(parts):
        first = next(iter(channels.values()))
        height, width = first.shape
        box = struct.pack("<4i", 0, 0, width - 1, height - 1)
        listed = b"".join(
            name.encode() + b"\0" + struct.pack("<iB3xii", kinds[str(channels[name].dtype)], 0, 1, 1)
            for name in sorted(channels)
        )
        attributes = [
            ("channels", "chlist", listed + b"\0"),
            ("compression", "compression", b"\0"),
            ("dataWindow", "box2i", box),
            ("displayWindow", "box2i", box),
            ("lineOrder", "lineOrder", b"\0"),
            ("pixelAspectRatio", "float", struct.pack("<f", 1)),
            ("screenWindowCenter", "v2f", bytes(8)),
            ("screenWindowWidth", "float", struct.pack("<f", 1)),
        ]
        if names is not None:
            attributes += [
                ("name", "string", names[number].encode()),
                ("type", "string", b"scanlineimage"),
                ("chunkCount", "int", struct.pack("<i", height)),
            ]
        stated = (f"{name}\0{kind}\0".encode() + struct.pack("<i", len(value)) + value for name, kind, value in attributes)
        heads.append(b"".join(stated) + b"\0")
        lines = [b"".join(channels[name][y].tobytes() for name in sorted(channels)) for y in range(height)]
        mark = b"" if names is None else struct.pack("<i", number)
        chunks.append([mark + struct.pack("<ii", y, len(line)) + line for y, line in enumerate(lines)])
    head = exr.MAGIC + struct.pack("<i", 2 | (0 if names is None else 0x1000))
    head += b"".join(heads) + (b"" if names is None else b"\0")
    flat = [chunk for some in chunks for chunk in some]
    starts = np.cumsum([len(head) + 8 * len(flat), *map(len, flat)])[:-1]
    return head + b"".join(struct.pack("<Q", start) for start in starts) + b"".join(flat)


def layers(*named: str, kind=np.float16) -> dict[str, np.ndarray]:
    """Channels, the first of value 1, the next of value 2, and so on."""
    return {name: np.full((4, 6), index, kind) for index, name in enumerate(named, start=1)}


class TestLayersOfExr:
    """The beauty pass is found by its name, and what is left out is named."""

    @pytest.mark.parametrize(
        ("channels", "values", "said"),
        [
            (layers("R", "G", "B", "A"), (1, 2, 3), None),
            (layers("Y"), (1, 1, 1), None),
            (layers("R", "G", "B", "Z"), (1, 2, 3), "their picture: Z"),
            (layers("R", "G", "B", "beauty.R", "beauty.G", "beauty.B"), (1, 2, 3), "their picture: beauty (B, G, R)"),
            (layers(*(f"V.Combined.{one}" for one in "RGBA")), (1, 2, 3), None),
            (
                layers(
                    *(f"ViewLayer.AO.{one}" for one in "RGB"),
                    *(f"ViewLayer.Combined.{one}" for one in "RGB"),
                    "ViewLayer.Depth.Z",
                ),
                (4, 5, 6),
                "ViewLayer.Combined: ViewLayer.AO (B, G, R), ViewLayer.Depth (Z)",
            ),
            (layers("a.R", "a.G", "a.B", "rgba.R", "rgba.G", "rgba.B"), (4, 5, 6), "rgba: a (B, G, R)"),
            (layers("a.R", "a.G", "a.B", "Beauty.R", "Beauty.G", "Beauty.B", "Beauty.Z"), (4, 5, 6), "Beauty: Z, a (B, G, R)"),
            (layers("x.R", "x.G", "x.B", "y.R", "y.G", "y.B"), (1, 2, 3), "x: y (B, G, R)"),
            ({**layers("R", "G", "B"), **layers("id", kind=np.uint32)}, (1, 2, 3), "their picture: id"),
        ],
    )
    def test_which_is_read(self, tmp_path: Path, channels, values: tuple[int, int, int], said: str | None):
        (tmp_path / "1.exr").write_bytes(openexr([channels]))
        reader = open_clip(tmp_path)
        (frame,) = reader
        alpha = 1 if frame.alpha is None else float(frame.alpha[0, 0, 0])
        assert (frame.rgb[:, 2, 3] * alpha).tolist() == pytest.approx(values)
        found = [note.partition(" besides ")[2] for note in reader.notes]
        assert [sorted(re.split(", (?![A-Z]\\b)|: ", one)) for one in found] == (
            [sorted(re.split(", (?![A-Z]\\b)|: ", said))] if said else []
        )

    @pytest.mark.parametrize(
        ("names", "read", "left"),
        [
            (["diffuse", "rgba"], 1, "diffuse"),
            (["beauty", "rgba"], 1, "beauty"),
            (["main", "other"], 0, "other"),
        ],
    )
    def test_of_several_parts(self, tmp_path: Path, names: list[str], read: int, left: str):
        parts = [{name: plane + 10 * number for name, plane in layers("R", "G", "B").items()} for number in range(2)]
        (tmp_path / "1.exr").write_bytes(openexr(parts, names))
        reader = open_clip(tmp_path)
        assert next(iter(reader)).rgb[:, 0, 0].tolist() == [1 + 10 * read, 2 + 10 * read, 3 + 10 * read]
        assert reader.notes == [f"not kept from the EXR images besides {names[read]}: {left} (B, G, R)"]

    @pytest.mark.parametrize(
        "channels", [layers("Z"), layers("R", "G", "B", kind=np.uint32), {**layers("R", "G"), **layers("B", kind=np.float32)}]
    )
    def test_without_a_picture_the_channels_are_named(self, tmp_path: Path, channels):
        (tmp_path / "1.exr").write_bytes(openexr([channels]))
        with pytest.raises(InputError, match=rf"has the channels {', '.join(sorted(channels))}: R, G and B, or Y"):
            open_clip(tmp_path)

    @pytest.mark.parametrize("left", [0.2, 0.5, 0.8, 0.9])
    @pytest.mark.parametrize("names", [["rgba", "other"], ["other", "rgba"]])
    def test_several_parts_cut_short_are_an_error(self, tmp_path: Path, names: list[str], left: float):
        data = openexr([layers("R", "G", "B")] * 2, names)
        (tmp_path / "1.exr").write_bytes(data[: int(len(data) * left)])
        with pytest.raises(InputError, match=r"1\.exr cannot be"):
            open_clip(tmp_path)

    def test_all_images_have_the_same_layer(self, tmp_path: Path):
        """A render that was set up anew halfway must not change its picture silently."""
        (tmp_path / "1.exr").write_bytes(openexr([layers("rgba.R", "rgba.G", "rgba.B")]))
        (tmp_path / "2.exr").write_bytes(openexr([layers("beauty.R", "beauty.G", "beauty.B")]))
        with pytest.raises(InputError, match=r"2\.exr lacks rgba, which the images before it have"):
            list(open_clip(tmp_path))


class TestNotes:
    @pytest.mark.parametrize(
        ("numbers", "note"),
        [
            ([1, 2, 3, 9, 10], ["{} lacks 5 images of its series, first after f0003.png: "]),
            ([1, 3], []),
            ([10, 20, 30], []),
            ([10, 20, 40], ["{} lacks 1 image of its series, first after f0020.png: "]),
        ],
    )
    def test_missing_numbers(self, tmp_path: Path, numbers: list[int], note: list[str]):
        for number in numbers:
            (tmp_path / f"f{number:04d}.png").write_bytes(png(np.zeros((4, 4)), 0))
        for source in (tmp_path, tmp_path / "f%04d.png"):
            notes = open_clip(source).notes
            assert len(notes) == len(note)
            assert all(found.startswith(wanted.format(tmp_path)) for found, wanted in zip(notes, note, strict=True))

    @pytest.mark.parametrize(
        ("numbers", "places"),
        [
            ([1, 2, 3, 9, 10], [0, 1, 2, 8, 9]),
            ([1, 3], [0, 1]),
            ([10, 20, 40], [0, 1, 3]),
            ([7], [0]),
            ([9998, 9999, 10001], [0, 1, 3]),
        ],
    )
    @pytest.mark.parametrize("rate", [F(24), F(30000, 1001)])
    def test_missing_numbers_keep_their_time_if_asked(self, tmp_path: Path, rate: F, numbers: list[int], places: list[int]):
        for number in numbers:
            (tmp_path / f"f 5% {number:04d}.png").write_bytes(png(np.full((4, 4), number % 256), 0))
        for source in (tmp_path, tmp_path / "f 5% %04d.png"):
            reader = open_clip(source, rate=rate, gaps="hold")
            assert [frame.time for frame in reader] == [place / rate for place in places]
            ends = [*places[1:], places[-1] + 1]
            assert [frame.duration for frame in reader] == [
                (end - place) / rate for place, end in zip(places, ends, strict=True)
            ]
            assert (reader.info.frames, reader.info.duration, reader.info.rate) == (len(numbers), ends[-1] / rate, rate)
            assert all((frame.time / reader.info.time_base).denominator == 1 for frame in reader)
            for index, place in enumerate(places):
                assert next(reader.since(place / rate)).time == place / rate
                assert next(reader.since(ends[index] / rate - F(1, 1000))).time == place / rate
            said = [note.partition(": ")[2] for note in reader.notes]
            assert said == ([] if places[-1] == len(places) - 1 else ["the time of these is kept"])

    def test_a_part_of_images_with_held_gaps_counts_images(self, tmp_path: Path):
        for number in (1, 2, 5, 6):
            (tmp_path / f"{number}.png").write_bytes(png(np.full((4, 4), number), 0))
        whole = ClipSource(tmp_path, F(10), gaps="hold")
        part = whole.between(Position.parse("1f"), Position.parse("3f"))
        assert [(frame.time, frame.duration, int(rows(frame)[0, 0, 0])) for frame in part.open()] == [
            (F(0), F(3, 10), 2),
            (F(3, 10), F(1, 10), 5),
        ]

    def test_gaps_are_of_images_only(self, tmp_path: Path):
        (tmp_path / "1.png").write_bytes(png(np.zeros((4, 4)), 0))
        with pytest.raises(InputError, match="gaps can only be set for a folder of images"):
            open_clip(tmp_path / "1.png", gaps="hold")

    def test_uneven_times_that_numbers_lose(self, tmp_path: Path):
        even, uneven = [F(0), F(1, 24), F(2, 24), F(3, 24)], [F(0), F(1, 24), F(2, 24), F(6, 24)]
        for name, times in (("even", even), ("uneven", uneven)):
            frames = [replace(frame, time=time) for frame, time in zip(moving(4), times, strict=True)]
            notes = write(tmp_path / name, SMALL, frames).notes
            lost = ["images hold no times: the frames last unevenly, which is lost; --fps makes them even"]
            assert notes == (lost if times is uneven else [])

    def test_images_of_several_series_have_no_gaps(self, tmp_path: Path):
        for name in ("a1", "a2", "b7", "c"):
            (tmp_path / f"{name}.png").write_bytes(png(np.zeros((4, 4)), 0))
        assert not open_clip(tmp_path).notes

    def test_alpha_that_comes_late(self, tmp_path: Path):
        for number, (kind, channels) in enumerate([(2, 3), (6, 4), (6, 4)]):
            (tmp_path / f"{number}.png").write_bytes(png(np.zeros((4, 4, channels)), kind))
        reader = open_clip(tmp_path)
        assert [frame.alpha for frame in reader] == [None] * 3
        assert reader.notes == [
            f"{tmp_path / '1.png'} has transparency, which is dropped, as from all images of a clip whose first one has none"
        ]

    def test_an_exr_of_our_own_has_no_notes(self, tmp_path: Path):
        write(tmp_path / "shot", Info(4, 4, alpha=True, floats=True), [Frame(torch.rand(3, 4, 4), F(0), F(1, 24))])
        assert open_clip(tmp_path / "shot").notes == []
