"""The streaming loop and the two tensor functions over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction as F

import pytest
import torch
from models import Blend, Encoding, Shift

import vfi
from vfi.core import Frame, InputError
from vfi.model.wrappers import Padded, Placed, Tta
from vfi.render.run import frames_of_tensor, interpolate, retime, run
from vfi.timing.grids import Subdivide, Uniform


def ramp(count: int, channels: int = 3) -> torch.Tensor:
    """Frame k is k / 10 everywhere."""
    return (torch.arange(count) / 10)[:, None, None, None].expand(-1, channels, 4, 6).clone()


def test_the_public_surface():
    assert vfi.__all__ == sorted(vfi.__all__)
    assert set(vfi.__all__) == {
        "Frame", "InputError", "Interpolator", "Motion", "Sampling", "Spec",
        "detect", "interpolate", "load", "models", "retime", "run",
    }  # fmt: skip


@pytest.mark.parametrize("count", [1, 2, 5])
@pytest.mark.parametrize("times", [1, 2, 3, 8])
@pytest.mark.parametrize("batch", [1, 2, 16])
def test_interpolate_makes_times_as_many(count, times, batch):
    clip = ramp(count)
    made = interpolate(clip, Blend(), times, batch=batch)
    assert made.shape[0] == (count - 1) * times + 1
    assert torch.equal(made[::times], clip)
    torch.testing.assert_close(made[:, 0, 0, 0], torch.arange(len(made)) / (10 * times))


def test_interpolate_can_hold_the_tail():
    made = interpolate(ramp(3), Blend(), 2, tail="hold")
    torch.testing.assert_close(made[:, 0, 0, 0], torch.tensor([0, 0.05, 0.1, 0.15, 0.2, 0.2]))


def test_interpolate_between_rates():
    made = interpolate(ramp(9), Blend(), fps=(24, 60))
    assert made.shape[0] == 21
    assert torch.equal(made[::5], ramp(9)[::2])
    torch.testing.assert_close(made[:, 0, 0, 0], torch.arange(21) * 0.04)


def test_interpolate_between_ntsc_rates_is_exact():
    made = interpolate(ramp(4), Blend(), fps=(23.976, "48000/1001"))
    assert torch.equal(made[::2], ramp(4))


def test_retime_anywhere():
    made = retime(ramp(4), Blend(), [0, 0.25, F(1, 3), 1, 2.5, 3, 3])
    torch.testing.assert_close(made[:, 0, 0, 0], torch.tensor([0, 0.025, 0.1 / 3, 0.1, 0.25, 0.3, 0.3]))
    with pytest.raises(InputError, match="must lie in 0 to"):
        retime(ramp(4), Blend(), [0, 3.5])


def test_input_frames_are_the_same_objects():
    frames = list(frames_of_tensor(ramp(3), F(24)))
    made = list(run(frames, Blend(), Subdivide(2)))
    assert all(after.rgb is before.rgb for after, before in zip(made[::2], frames, strict=True))


@pytest.mark.parametrize("batch", [1, 4])
def test_each_frame_is_encoded_once_and_each_pair_batched(batch):
    model = Encoding()
    list(run(frames_of_tensor(ramp(5), F(24)), Placed(Tta(Padded(model), "none")), Subdivide(5), batch=batch))
    assert (model.encoded, model.prepared) == (5, 4)
    assert model.calls == 4 * (4 if batch == 1 else 1)


def test_frames_that_nobody_mixes_are_not_encoded():
    model = Encoding()
    list(run(frames_of_tensor(ramp(5), F(24)), model, Uniform(F(12))))
    assert model.encoded == 0


@pytest.mark.parametrize("threads", [1, 4])
def test_memory_is_one_window_and_one_batch_and_what_threads_make(threads: int):
    alive: list[int] = []

    class Counted(Frame):
        count = 0

        def __new__(cls, *args, **kwargs):
            cls.count += 1
            return super().__new__(cls)

        def __del__(self):
            Counted.count -= 1

    def source():
        for k in range(50):
            yield Counted(torch.full((3, 4, 4), k / 50), F(k), F(1))

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        for _ in run(source(), Blend(), Subdivide(3)):
            alive.append(Counted.count)
    finally:
        torch.set_num_threads(before)
    assert max(alive) <= (4 if threads == 1 else 4 + threads)


def test_alpha_follows_motion_and_colour_is_premultiplied():
    rgba = torch.zeros(2, 4, 8, 16)
    rgba[:, 0] = 1.0
    rgba[0, 3, :, 2:6] = 1.0
    rgba[1, 3, :, 6:10] = 1.0
    made = interpolate(rgba, Shift(4), 2)[1]
    torch.testing.assert_close(made[3, 0], torch.tensor([0.0] * 4 + [1.0] * 4 + [0.0] * 8))
    assert made[:3].min() >= 0
    assert made[:3].max() <= 1


def test_alpha_is_blended_where_no_motion_is_known():
    rgba = ramp(2, 4)
    rgba[:, 3] = torch.tensor([0.0, 1.0])[:, None, None]
    made = interpolate(rgba, Blend(), 4)
    torch.testing.assert_close(made[:, 3, 0, 0], torch.tensor([0, 0.25, 0.5, 0.75, 1]))
    torch.testing.assert_close(made[1:, 0, 0, 0], torch.full((4,), 0.1))


def test_dtype_of_the_clip_is_kept():
    assert interpolate(ramp(2).half(), Blend(), 2).dtype == torch.float16


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("wrapped", [Blend, lambda: Placed(Padded(Blend(multiple=4)))])
def test_frames_of_codes_give_the_nearest_codes(channels: int, wrapped):
    clip = torch.randint(0, 256, (4, channels, 5, 7), dtype=torch.uint8)
    made, exact = interpolate(clip, wrapped(), 3), interpolate(clip / 255, wrapped(), 3)
    assert made.dtype == torch.uint8
    assert torch.equal(made[::3], clip)
    assert torch.equal(made, (exact * 255).round().to(torch.uint8))


def test_new_alpha_is_of_the_kind_of_the_colours():
    frames = [Frame(torch.full((3, 2, 2), 100 * k, dtype=torch.uint8), F(k), alpha=torch.ones(1, 2, 2)) for k in range(2)]
    middle = list(run(frames, Blend(), Subdivide(2)))[1]
    assert (middle.rgb.unique().tolist(), middle.alpha.unique().tolist()) == ([50], [255])


@pytest.mark.parametrize("channels", [3, 4])
@pytest.mark.parametrize("window", [2, 4])
def test_between_equal_frames_no_model_is_asked(channels: int, window: int):
    clip = ramp(4, channels)
    clip[2] = clip[1]
    model = Blend(window=window)
    made = interpolate(clip, model, 4)
    assert model.calls == 2 * 3
    assert all(torch.equal(picture, clip[1]) for picture in made[4:9])


def test_copies_of_equal_frames_are_new_frames():
    frames = list(run(frames_of_tensor(torch.zeros(2, 3, 4, 4), F(1)), Blend(), Subdivide(2), tail="hold"))
    assert [(frame.time, frame.duration, frame.made) for frame in frames] == [
        (0, F(1, 2), False), (F(1, 2), F(1, 2), True), (1, F(1, 2), False), (F(3, 2), F(1, 2), True)
    ]  # fmt: skip


def test_frames_whose_alpha_alone_differs_are_not_equal():
    clip = ramp(2, 4)
    clip[1] = clip[0]
    clip[1, 3] = 1
    model = Blend()
    torch.testing.assert_close(interpolate(clip, model, 2)[:, 3, 0, 0], torch.tensor([0, 0.5, 1]))
    assert model.calls == 1


def test_a_change_of_size_is_one_sentence():
    frames = [Frame(torch.zeros(3, 4, 6), F(0)), Frame(torch.zeros(3, 4, 8), F(1))]
    with pytest.raises(InputError, match=r"1\.000 s is 8x4, those before it 6x4"):
        list(run(frames, Blend(), Subdivide(2)))


@pytest.mark.parametrize("shape", [(3, 4, 4), (2, 2, 4, 4), (2, 5, 4, 4)])
def test_a_wrong_shape_is_one_sentence(shape):
    with pytest.raises(InputError, match="is needed"):
        interpolate(torch.zeros(shape), Blend(), 2)


def test_a_batch_below_one_is_refused():
    with pytest.raises(InputError, match="at least 1"):
        list(run(frames_of_tensor(ramp(2), F(1)), Blend(), Subdivide(2), batch=0))


@pytest.mark.parametrize("batch", [1, 2, 8])
@pytest.mark.parametrize("done", [0, 1, 5, 8, 11, 19, 20])
def test_outputs_before_a_time_are_passed_over_and_change_nothing_after_it(batch: int, done: int):
    made: list[int] = []

    class Counting(Blend):
        def __call__(self, window: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
            made.append(len(t))
            return super().__call__(window, t)

    def frames() -> Iterator[Frame]:
        return (replace(frame, cut="blend" if k == 3 else None) for k, frame in enumerate(frames_of_tensor(ramp(5), F(1))))

    whole = list(run(frames(), Counting(), Subdivide(4), tail="hold", batch=batch))
    made.clear()
    since = whole[done].time if done < len(whole) else F(5)
    rest = list(run(frames(), Counting(), Subdivide(4), tail="hold", batch=batch, since=since))
    assert [frame.time for frame in rest] == [frame.time for frame in whole[done:]]
    assert all(torch.equal(one.rgb, other.rgb) for one, other in zip(rest, whole[done:], strict=True))
    by_the_model = sum(frame.made and not 2 < frame.time < 3 and frame.time < 4 for frame in whole[done:])
    assert by_the_model <= sum(made) <= by_the_model + batch - 1


@pytest.mark.parametrize(
    "frames",
    [ramp(3)[:0], ramp(3)[..., :0], ramp(3)[0], ramp(3)[:, :2], ramp(3).numpy(), (ramp(3) * 10).long(), ramp(3) > 0, None, [1]],
    ids=["none", "no pixels", "one picture", "two channels", "numpy", "int64", "bool", "None", "list"],
)
def test_what_is_no_clip_is_said(frames):
    for call in (lambda: interpolate(frames, Blend()), lambda: retime(frames, Blend(), [0])):
        with pytest.raises(InputError, match="frames of"):
            call()


@pytest.mark.parametrize(
    "options",
    [
        {"times": 1.5}, {"times": True}, {"times": "2"}, {"times": 0}, {"fps": 60}, {"fps": (24,)}, {"fps": "24"},
        {"fps": (0, 1)}, {"fps": ("a", 1)}, {"tail": "loop"}, {"batch": 0}, {"batch": 1.5},
    ],
    ids=str,
)  # fmt: skip
def test_options_without_meaning_are_said(options: dict):
    with pytest.raises(InputError):
        interpolate(ramp(3), Blend(), **options)


@pytest.mark.parametrize("at", [[float("nan")], [float("inf")], [None], ["x"], [1j], [2, 1], [3], 5])
def test_instants_without_meaning_are_said(at):
    with pytest.raises(InputError):
        retime(ramp(3), Blend(), at)


def test_gradients_are_left_out():
    made = interpolate(ramp(3).requires_grad_(), Blend(), 2)
    assert not made.requires_grad
    assert len(made) == 5


class Broken(Blend):
    """A model that makes NaN or infinity from its frame ``since`` on."""

    def __init__(self, value: float = float("nan"), since: int = 0) -> None:
        super().__init__(threads=False)  # which frame is the first must not hang on who is faster
        self.value, self.since, self.made = value, since, 0

    def __call__(self, window: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        out = super().__call__(window, t)
        if self.made >= self.since:
            out[..., 1, 2] = self.value
        self.made += len(out)
        return out


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("whole", [False, True], ids=["floats", "uint8"])
def test_a_first_frame_of_nan_is_an_error_that_names_the_way_out(value: float, whole: bool):
    clip = (ramp(4) * 255).to(torch.uint8) if whole else ramp(4)
    with pytest.raises(InputError, match="made a frame that holds NaN or infinity: its weights are damaged, or float16 is too"):
        interpolate(clip, Broken(value))


def test_repeats_and_blends_do_not_count_as_the_first_frame():
    still = torch.cat((ramp(1), ramp(1), ramp(3)))
    with pytest.raises(InputError, match="NaN"):
        interpolate(still, Broken())
    frames = [replace(frame, cut="blend" if k == 1 else None) for k, frame in enumerate(frames_of_tensor(ramp(4), F(24)))]
    with pytest.raises(InputError, match="NaN"):
        list(run(frames, Broken(), Subdivide(2)))


def test_only_the_first_frame_is_looked_at():
    made = interpolate(ramp(4), Broken(since=1))
    assert made[1].isfinite().all()
    assert not made[3].isfinite().all()


def test_frames_that_hold_nan_themselves_are_no_fault_of_the_model():
    clip = ramp(3)
    clip[1, 0, 0, 0] = float("nan")
    assert interpolate(clip, Blend())[1].isnan().any()


@pytest.mark.parametrize("instant", ["1e999999999", "0.5", None, 1j])
def test_an_instant_that_is_no_number_is_a_sentence_at_once(instant: object):
    with pytest.raises(InputError, match="the instants hold what is no finite number"):
        vfi.retime(torch.rand(3, 3, 8, 8), "linear", at=[instant])
