"""Text from outside becomes checked values: numbers, and JSON and TOML, field by field, with the place of every fault.

Owns the reading, its bounds and the words of its errors. Knows nothing of plans, tracks or recipes.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from fractions import Fraction
from numbers import Real
from typing import Any, TypeVar

from .core import InputError

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

T = TypeVar("T")

LARGEST = 1e300
"""Numbers of JSON must be smaller than this in absolute value."""

MOST = 10**12
"""The largest number that a text may give, and the largest whole number of JSON."""

DIGITS = 40
"""The most characters of a number, and of each side of a fraction."""

_NUMBER = re.compile(r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,2})?", re.ASCII)

_NAME = r"[^\s/\\'\"`:;,()\[\]{}<>|]+"
"""A name within a path in a sentence."""

_ABOVE = re.compile(rf"(?<![\w/\\:.~-])(?:~?/|~\\|[A-Za-z]:[/\\]|\\\\)(?:{_NAME}[/\\]+)*(?={_NAME})")
"""What stands before the last name of a path from the root, a drive, a home or a network."""


def number(text: Any) -> Fraction:
    """The exact number that a text gives, such as 2, 2.5, 1e-3 or 5/2, up to `MOST`.

    Its cost is bounded, whatever the text: each side of a fraction has at most 40 characters, and an exponent is at most 12.
    Raises `ValueError`, which says what is allowed.
    """
    above, slash, below = text.strip().partition("/") if isinstance(text, str) else ("", "", "")
    value = _decimal(above)
    if slash and not below.isdecimal():
        raise ValueError("it must be a number such as 2, 2.5 or 5/2")
    value = value / _decimal(below) if slash else value
    if abs(value) > MOST:
        raise ValueError(f"it must be at most {MOST}")
    return value


def _decimal(text: str) -> Fraction:
    if len(text) > DIGITS:
        raise ValueError(f"it must have at most {DIGITS} characters")
    if not _NUMBER.fullmatch(text):
        raise ValueError("it must be a number such as 2, 2.5 or 5/2")
    if abs(int(text.lower().partition("e")[2] or 0)) > 12:
        raise ValueError("its exponent must be from -12 to 12")
    return Fraction(text)


def exact(value: Any) -> Fraction:
    """The exact value of a number that is no text: `number` has the bounds that a text needs.

    Raises `TypeError` for anything else, `ValueError` for NaN and `OverflowError` for infinity.
    """
    if not isinstance(value, Real):
        raise TypeError("it must be a number")
    return Fraction(value)  # type: ignore[call-overload, no-any-return]


def whole(text: str) -> int:
    """The whole number of at most 40 digits that a text gives. Raises `ValueError`."""
    if not re.fullmatch(r"[+-]?\d{1,40}", text, re.ASCII):
        raise ValueError("it must be a whole number")
    return int(text)


def switch(text: str | None) -> bool:
    """Whether the text of an environment variable, None if it is not set, switches it on: 0, no, off and false do not."""
    return (text or "").strip().lower() not in ("", "0", "no", "off", "false")


def read_json(text: str, what: str, **how: Any) -> Any:
    """The value of a JSON text; ``how`` goes to `json.loads`. Raises `InputError`, which calls the text ``what``."""
    try:
        return json.loads(text, **how)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} not valid JSON: {error}") from error


def read_toml(text: str, what: str) -> dict[str, Any]:
    """The table of a TOML text. Raises `InputError`, which calls the text ``what``."""
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{what} not valid TOML: {error}") from error


class Fields:
    """An object of JSON or TOML, whose fields are taken one by one; ``where`` is its place, empty for the text itself.

    Raises `InputError` if ``data``, which is called ``name`` then, is no object.
    """

    def __init__(self, data: Any, where: str, name: str = "") -> None:
        self._name = where or name
        if not isinstance(data, Mapping):
            raise InputError(f"{self._name} is {short(data)}: it must be an object, {{...}}")
        self._data, self._where = data, where
        self._taken: list[str] = []

    def take(self, key: str, read: Callable[[Any], T], default: Any = ...) -> T:
        """The field as ``read`` reads it; a field without a ``default`` must be there."""
        if key not in self._data and default is ...:
            raise InputError(f"{self._name} has no {key!r}")
        self._taken.append(key)
        value = self._data.get(key, default)
        try:
            return read(value)
        except InputError:
            raise
        except ZeroDivisionError as error:
            raise InputError(f"{self.place(key)} is {short(value)}, which divides by zero: give numbers") from error
        except (ValueError, TypeError, OverflowError) as error:
            raise InputError(f"{self.place(key)} is {short(value)}: {error}") from error

    def objects(self, key: str, default: Any = ...) -> list[Fields]:
        """The field as a list of objects."""
        return [Fields(one, f"{self.place(key)}[{index}]") for index, one in enumerate(self.take(key, listed, default))]

    def end(self) -> None:
        """Raises `InputError` for a field that was not taken."""
        known(self._data, self._taken, self._name)

    def place(self, key: str) -> str:
        """Where a field stands."""
        return f"{self._where}.{key}" if self._where else key


def known(data: Iterable[str], names: Sequence[str], where: str) -> None:
    """Raise `InputError` for a field of ``data`` that is not among ``names``."""
    for key in data:
        if key not in names:
            raise InputError(f"{where} has an unknown field {short(key)}: it may have {', '.join(names)}")


def short(value: Any) -> str:
    """A value of JSON for a sentence, cut to 40 characters; ``...`` stands for a missing one."""
    text = "missing" if value is ... else json.dumps(plain(value), ensure_ascii=False, separators=(",", ":"), default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."


def quoted(text: object) -> str:
    """A text for a sentence, in quotes, cut to 40 characters."""
    told = repr(text)
    return told if len(told) <= 42 else f"{told[:38]}...{told[0]}"


def shown(name: str) -> str:
    """A name from outside for a sentence: as it is if it fits into a line, else in quotes and cut."""
    return name if name.isprintable() and len(name) <= 100 else quoted(name)


def last_names(text: str, folders: Iterable[str]) -> str:
    """``text`` with each path in it cut to its last name; only ``folders``, which are absolute, may hold spaces."""
    known = "|".join(map(re.escape, sorted(folders, key=len, reverse=True)))
    if known:
        inside = re.compile(rf"({known})(?![\w.-])(?:[/\\]+(?:{_NAME}[/\\]+)*(?={_NAME}))?")
        text = inside.sub(lambda found: "" if found[0] != found[1] else re.split(r"[/\\]", found[1])[-1], text)
    return _ABOVE.sub("", text)


def plain(value: Any) -> Any:
    """Whole numbers without their point, as JavaScript writes them."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return [plain(one) for one in value] if isinstance(value, list | tuple) else value


def anything(value: Any) -> Any:
    """Any value."""
    return value


def listed(value: Any) -> list[Any]:
    """A list. This reader and those below raise `ValueError` that says what is allowed."""
    if not isinstance(value, list):
        raise ValueError("it must be a list, [...]")
    return value


def count(least: int) -> Callable[[Any], int]:
    """A whole number from ``least`` up."""

    def read(value: Any) -> int:
        value = int(value) if isinstance(value, float) and value.is_integer() else value  # as some programs write 3
        if type(value) is not int or value < least:
            raise ValueError(f"it must be a whole number from {least} up")
        if value > MOST:
            raise ValueError(f"it must be at most {MOST}")
        return value

    return read


def seconds(value: Any) -> Fraction:
    """Exact seconds: a text such as "1001/24000" or "0.96", or a whole number."""
    if isinstance(value, str) or type(value) is int:
        try:
            return number(str(value))
        except (ValueError, ZeroDivisionError) as error:
            raise ValueError(f'it must be seconds such as "1001/24000" or "0.96", at most {MOST}') from error
    raise ValueError('it must be seconds such as "1001/24000" or "0.96", in quotes so that they stay exact')


def positive(value: Any) -> Fraction:
    """An exact number above 0."""
    found = seconds(value)
    if found <= 0:
        raise ValueError("it must be above 0")
    return found


def share(value: Any) -> float:
    """A number from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise ValueError("it must be a number from 0 to 1")
    return float(value)


def one_of(names: Sequence[Any]) -> Callable[[Any], Any]:
    """One of some values."""

    def read(value: Any) -> Any:
        if value not in names:
            raise ValueError(f"it must be {', '.join(names[:-1])} or {names[-1]}")
        return value

    return read


def or_none(read: Callable[[Any], T]) -> Callable[[Any], T | None]:
    """The same, or null."""
    return lambda value: None if value is None else read(value)


def numbers(values: Any, count: int) -> bool:
    """Whether ``values`` is a list of ``count`` finite numbers."""
    return isinstance(values, list | tuple) and len(values) == count and all(map(finite, values))


def finite(value: Any) -> bool:
    """Whether ``value`` is a finite number."""
    return isinstance(value, int | float) and not isinstance(value, bool) and -LARGEST < value < LARGEST
