"""How the words of a command become values: each parser raises `InputError` with one sentence.

Knows nothing of what the values are for.
"""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Callable
from fractions import Fraction
from typing import TypeVar

from ..core import InputError

T = TypeVar("T")


def argument(parse: Callable[[str], T]) -> Callable[[str], T]:
    """``parse`` as argparse wants it: an `InputError` becomes argparse's own."""

    def parsed(text: str) -> T:
        try:
            return parse(text)
        except InputError as error:
            raise ArgumentTypeError(str(error)) from error

    return parsed


def factor(text: str) -> Fraction:
    """A number above 0, such as 2, 2.5 or 5/2."""
    try:
        value = Fraction(text)
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"{text!r} is not a number: give one such as 2, 2.5 or 5/2") from error
    if value <= 0:
        raise InputError(f"{text} was given: it must be above 0")
    return value


def whole(text: str) -> int:
    """A whole number from 1 up."""
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"{text!r} was given: a whole number from 1 up is needed")
    return int(text)


def count(text: str) -> int:
    """A whole number from 0 up."""
    if not text.isdecimal():
        raise InputError(f"{text!r} was given: a whole number from 0 up is needed")
    return int(text)


def names(text: str) -> tuple[str, ...]:
    """Names with commas between them."""
    found = tuple(name.strip() for name in text.split(","))
    if not all(found):
        raise InputError(f"{text!r} was given: names with commas between them are needed")
    return found


def auto_or(parse: Callable[[str], T]) -> Callable[[str], T | None]:
    """``parse``, but None for "auto"."""
    return lambda text: None if text == "auto" else parse(text)


def moment(text: str) -> Fraction:
    """A number from 0 up, of seconds."""
    return factor(text) if text.strip("0.") else Fraction(0)
