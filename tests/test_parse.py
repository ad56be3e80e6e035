"""Numbers in text: exact, and bounded in what they cost."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest

from vfi.core import InputError
from vfi.parse import Fields, count, exact, number, quoted, seconds, whole


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", Fraction(2)),
        (" -2.50 ", Fraction(-5, 2)),
        (".5", Fraction(1, 2)),
        ("2.", Fraction(2)),
        ("30000/1001", Fraction(30000, 1001)),
        ("1e-3", Fraction(1, 1000)),
        ("1E+12", Fraction(10**12)),
        ("0.30000000000000004", Fraction("0.30000000000000004")),
        (f"{10**39}/{10**39}", Fraction(1)),
    ],
)
def test_a_number_is_exact(text: str, value: Fraction):
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("1e999999999", "such as"),
        ("1e13", "exponent"),
        ("1e-99", "exponent"),
        ("1e-99999999", "such as"),
        ("9" * 5000, "at most 40 characters"),
        ("1/" + "9" * 5000, "at most 40 characters"),
        ("9" * 20, "at most 1000000000000"),
        ("", "such as"),
        ("1/2/3", "such as"),
        ("1/-2", "such as"),
        ("inf", "such as"),
        ("nan", "such as"),
        ("1_000", "such as"),
        ("\u0661", "such as"),
        (7, "such as"),
    ],
)
def test_what_costs_too_much_or_is_no_number_is_refused(text: object, says: str):
    with pytest.raises(ValueError, match=says):
        number(text)


def test_a_division_by_zero_is_python_s_own_error():
    with pytest.raises(ZeroDivisionError):
        number("1/0")


def test_whole_numbers_of_text_and_json_are_bounded():
    assert whole("-12") == -12
    assert whole(str(2**64 - 1)) == 2**64 - 1
    for text in ("9" * 5000, "1.0", "", "\u0661"):
        with pytest.raises(ValueError, match="whole number"):
            whole(text)
    with pytest.raises(ValueError, match="at most 1000000000000"):
        count(1)(10**100)
    with pytest.raises(ValueError, match="it must be seconds"):
        seconds("1e999999999")


def test_a_quoted_text_is_short_and_holds_no_control_characters():
    assert quoted("a\x1b[2J\nb") == r"'a\x1b[2J\nb'"
    assert len(quoted("x" * 10**6)) == 42


def test_an_exact_number_is_no_text():
    assert exact(0.5) == exact(Fraction(1, 2)) == Fraction(1, 2)
    assert exact(np.float64(0.25)) == Fraction(1, 4)
    for wrong in ("1", "1e999999999", b"1", None, Decimal("1e999999999"), 1j):
        with pytest.raises(TypeError, match="it must be a number"):
            exact(wrong)
    with pytest.raises(OverflowError):
        exact(float("inf"))
    with pytest.raises(ValueError, match="NaN"):
        exact(float("nan"))


def test_fields_tell_in_words_what_is_wrong():
    fields = Fields({"rate": "1/0", "count": 3.0, "half": 2.5}, "clip")
    with pytest.raises(InputError, match=r'^clip\.rate is "1/0", which divides by zero: give numbers$'):
        fields.take("rate", number)
    assert fields.take("count", count(1)) == 3  # as programs write it that know no whole numbers
    with pytest.raises(InputError, match=r"^clip\.half is 2\.5: it must be a whole number from 1 up$"):
        fields.take("half", count(1))
