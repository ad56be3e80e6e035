"""The files of cels: which drawing of which layer a picture is, and what a new one is called.

A cel lies in a folder of its layer, or its name begins with that of the layer: A/0001.png, A0001.png, A_0001.png, A.0001.png.
Knows nothing of what the files hold.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from ..core import InputError
from ..parse import shown

SEPARATORS = (" ", ".", "_", "-")
"""One of these may stand between a layer's name and the number."""

_WIDE = str.maketrans("０１２３４５６７８９", "0123456789")
_DRAWING = re.compile(r"([^0-9]{0,100})([0-9]{1,9})([A-Za-z]?)")


@dataclass(frozen=True)
class Number:
    """The number of a drawing: a letter may follow, as in 12a; ``head`` is what stands before, ``digits`` are as written."""

    head: str
    digits: str
    letter: str

    @property
    def key(self) -> tuple[int, str]:
        """Equal for two writings of one number."""
        return int(self.digits), self.letter.lower()

    def with_number(self, number: int) -> str:
        """Another number, written like this one."""
        width = len(self.digits) if self.digits.startswith("0") else 1
        return f"{self.head}{number:0{width}d}"


def number_of(drawing: str) -> Number:
    """The number of a drawing, whose digits may be as wide as kanji. Raises `InputError` if it has none."""
    found = _DRAWING.fullmatch(drawing.translate(_WIDE))
    if found is None:
        raise InputError(f"drawing {shown(drawing)} has no number: a cel is called by one, such as 12 or 12a")
    return Number(found[1], found[2], found[3])


@dataclass(frozen=True)
class Cel:
    """A picture of a drawing: its name is that of the folder, ``head``, the number and the ending."""

    path: Path
    head: str
    number: Number


class Cels:
    """The cels of ``layers`` in a folder, and in folders in it that are called like a layer. Raises `InputError`."""

    def __init__(self, folder: Path, layers: Iterable[str], endings: Sequence[str], called: str = "") -> None:
        """``called``: where the cels come from, in words, if that is not the folder."""
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder" if folder.exists() else f"{folder} does not exist")
        self.folder, self.called = folder, called or str(folder)
        self._found: dict[str, dict[tuple[int, str], list[Cel]]] = {name: {} for name in layers}
        called_like = {_plain(name): name for name in self._found}
        for path in sorted(folder.iterdir()):
            if path.is_dir() and (layer := called_like.get(_plain(path.name))) is not None:
                for inner in sorted(path.iterdir()):
                    if _is_picture(inner, endings):
                        any(self._take(inner, {name: layer}) for name in ("", _plain(layer)))
            elif _is_picture(path, endings):
                self._take(path, called_like)

    def _take(self, path: Path, names: Mapping[str, str]) -> bool:
        """Take a file that is called by one of ``names``, the longest that fits, and a number for a cel of the name's layer."""
        for name, head, number in _readings(path.stem):
            if (layer := names.get(_plain(name))) is not None:
                self._found[layer].setdefault(number.key, []).append(Cel(path, head, number))
                return True
        return False

    def all(self, layer: str) -> list[Cel]:
        """The cels of a layer, by their numbers; the first of several for one drawing."""
        return [cels[0] for _, cels in sorted(self._found[layer].items())]

    def numbers(self, layer: str) -> set[int]:
        """The numbers that cels of a layer have."""
        return {number for number, _ in self._found[layer]}

    def find(self, layer: str, drawing: str) -> Cel | None:
        """The cel of a drawing; None if there is none. Raises `InputError` if there are two."""
        cels = self._found[layer].get(number_of(drawing).key, [])
        if len(cels) > 1:
            names = " and ".join(str(cel.path.relative_to(self.folder)) for cel in cels)
            raise InputError(f"drawing {shown(drawing)} is there {len(cels)} times, as {names}: leave one of them")
        return cels[0] if cels else None

    def new_name(self, layer: str, like: Cel, drawing: str, ending: str) -> PurePath:
        """The name of a new cel below the folder, in the manner of another one of its layer."""
        written = [cel.number.digits for cels in self._found[layer].values() for cel in cels if cel.head == like.head]
        width = max((len(digits) for digits in written if digits.startswith("0")), default=1)
        number = number_of(drawing)
        name = f"{like.head}{int(number.digits):0{width}d}{number.letter}{ending}"
        return like.path.relative_to(self.folder).with_name(name)


def _plain(name: str) -> str:
    """A name as it is compared: macOS keeps accents and voicing marks apart from their letters."""
    return unicodedata.normalize("NFC", name).strip()


def _is_picture(path: Path, endings: Sequence[str]) -> bool:
    return path.suffix.lower() in endings and not path.name.startswith(".") and path.is_file()


def _readings(stem: str) -> Iterator[tuple[str, str, Number]]:
    """The name that a file may be called by, what stands before its number, and the number: the longest name first."""
    last = stem[-1:]
    letter = last if last.isascii() and last.isalpha() else ""
    body = stem.removesuffix(letter)
    digits = len(body) - len(body.rstrip("0123456789"))
    for count in range(1, min(digits, 9) + 1):
        head, number = body[:-count], Number("", body[-count:], letter)
        yield head, head, number
        if head.endswith(SEPARATORS):
            yield head[:-1], head, number
