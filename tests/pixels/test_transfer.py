"""Transfer functions: published code values, inverses, and which one a clip's tags mean."""

from __future__ import annotations

import pytest
import torch

from vfi.clips.clip import Colour, Info, transfer_of
from vfi.core import InputError
from vfi.pixels.transfer import TRANSFERS, named

# (curve, light, code), as published by those who defined the curve.
PUBLISHED = [
    ("srgb", 0.21404114, 0.5),
    ("srgb", 0.0031308, 0.04045),
    ("srgb", 1, 1),
    ("bt1886", 0.5**2.4, 0.5),
    ("bt709", 0.018, 0.081),
    ("bt709", 0.18, 0.409),
    ("bt709", 1, 1),
    ("pq", 1, 0.508078),  # 100 cd/m2; BT.2408: 51 %
    ("pq", 2.03, 0.580689),  # HDR reference white, BT.2408: 58 %
    ("pq", 10, 0.751827),  # 1000 cd/m2
    ("pq", 100, 1),
    ("hlg", 1 / 12, 0.5),
    ("hlg", 0.265, 0.75),  # HDR reference white, BT.2408
    ("hlg", 1, 1),
    ("logc3", 0.18, 0.391007),
    ("logc3", 0, 95 / 1023),
    ("logc4", 0, 95 / 1023),
    ("logc4", 0.18, 0.278396),
    ("logc4", 469.8, 1),
    ("slog3", 0, 95 / 1023),
    ("slog3", 0.18, 420 / 1023),
    ("slog3", 0.9, 598 / 1023),
    ("vlog", 0, 128 / 1023),
    ("vlog", 0.18, 433 / 1023),
    ("vlog", 0.9, 602 / 1023),
    ("log3g10", -0.01, 0),
    ("log3g10", 0, 0.091551),
    ("log3g10", 0.18, 1 / 3),
    ("log3g10", 184.322, 1),
]


@pytest.mark.parametrize(("name", "shone", "code"), PUBLISHED)
def test_published_values(name, shone, code):
    near = 5e-4 if name in ("logc4", "vlog", "slog3", "bt709", "hlg", "srgb", "logc3") else 2e-6  # stated to a 10-bit code
    assert named(name).code(torch.tensor(shone, dtype=torch.float64)).item() == pytest.approx(code, abs=near)


@pytest.mark.parametrize("name", TRANSFERS)
@pytest.mark.parametrize(("dtype", "near"), [(torch.float64, 1e-6), (torch.float32, 3e-5)])
def test_codes_survive_light_and_back(name, dtype, near):
    curve = named(name)
    codes = torch.linspace(0, 1, 4097, dtype=dtype)
    shone = curve.light(codes)
    assert shone.dtype == dtype
    assert (shone.diff() >= 0).all()
    torch.testing.assert_close(curve.code(shone), codes, atol=near, rtol=0)


@pytest.mark.parametrize("name", [name for name in TRANSFERS if name != "pq"])
def test_light_below_black_survives(name):
    curve = named(name)
    shone = torch.linspace(-0.5, 0, 101, dtype=torch.float64)
    torch.testing.assert_close(curve.light(curve.code(shone)), shone, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["srgb", "bt1886", "bt709", "logc3", "logc4", "slog3", "vlog", "log3g10", "linear"])
def test_light_far_above_white_survives(name):
    curve = named(name)
    shone = torch.logspace(0, 4, 50, dtype=torch.float64)
    torch.testing.assert_close(curve.light(curve.code(shone)), shone)


def test_pq_takes_light_below_black_for_black():
    assert named("pq").light(named("pq").code(torch.tensor(-1.0))).item() == pytest.approx(0, abs=1e-6)


@pytest.mark.parametrize(
    ("colour", "name"),
    [
        (Colour(1, 1, 1), "bt1886"),
        (Colour(9, 9, 14), "bt1886"),
        (Colour(9, 9, 16), "pq"),
        (Colour(9, 9, 18), "hlg"),
        (Colour(0, 1, 13), "srgb"),
        (Colour(0, 1, 8), "linear"),
        (Colour(), "bt1886"),
        (Colour(matrix=0, full=True), "srgb"),
    ],
)
def test_tags_say_the_curve(colour, name):
    assert transfer_of(Info(1, 1, colour=colour)).name == name
    assert transfer_of(Info(1, 1, colour=colour, curve="vlog")).name == "vlog"


def test_an_unknown_name_is_refused():
    with pytest.raises(InputError, match="'cineon' is not a transfer function: choose from linear, srgb"):
        named("cineon")
