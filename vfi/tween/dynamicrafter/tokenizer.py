"""Splits a prompt into the numbered pieces that CLIP's text half knows.

Byte-pair encoding: Sennrich et al., "Neural Machine Translation of Rare Words with Subword Units", ACL 2016; over bytes:
Radford et al., "Language Models are Unsupervised Multitask Learners", 2019. Owns the format of the published vocabulary, which
is a list of merges, the most frequent first. Knows nothing of networks.
"""

from __future__ import annotations

import gzip
import html
import re
import unicodedata
import zlib
from collections.abc import Iterator, Sequence
from itertools import chain, islice, pairwise
from pathlib import Path

from ...core import InputError
from ...parse import shown

FILE = "bpe_simple_vocab_16e6.txt.gz, of the package open_clip_torch, or a CLIP tokenizer's merges.txt"
"""The file of a vocabulary, in words."""

MERGES = 48894
"""Merges that CLIP uses; the published file holds five times as many."""

END = "</w>"
"""Marks the last symbol of a word, as in the vocabulary."""

SPECIAL = ("<start_of_text>", "<end_of_text>")

SHORT = re.compile(f"{'|'.join(SPECIAL)}|'(?:s|t|re|ve|m|ll|d)", re.IGNORECASE)
"""What is one piece wherever a piece can begin."""

PLAIN = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
"""Bytes that the vocabulary writes as the character of the same number."""

SYMBOLS = {byte: chr(byte) for byte in PLAIN} | {
    byte: chr(256 + index) for index, byte in enumerate(byte for byte in range(256) if byte not in PLAIN)
}
"""The character for each byte, in the order of the vocabulary."""

TIDY = {
    **dict.fromkeys((0x02BC, *range(0x2018, 0x201C)), "'"),
    **dict.fromkeys(range(0x201C, 0x2020), '"'),
    **{
        code: unicodedata.normalize("NFKC", chr(code))
        for code in (0x132, 0x133, *range(0xFB00, 0xFB07), *range(0xFF01, 0xFFF0), 0x3000)
    },
    **dict.fromkeys((*range(9), 0x0B, *range(0x0E, 0x20), 0x7F, *range(0x206A, 0x2070), 0xFEFF, *range(0xFFF9, 0xFFFD))),
}
"""Curly quotes, ligatures and wide characters become plain, and control characters vanish."""


class Tokenizer:
    """Numbers the pieces of prompts; see `read`."""

    def __init__(self, merges: Sequence[tuple[str, str]]) -> None:
        self.ranks = {pair: rank for rank, pair in enumerate(merges)}
        single = list(SYMBOLS.values())
        pieces = chain(single, (symbol + END for symbol in single), map("".join, merges), SPECIAL)
        self.numbers = {piece: number for number, piece in enumerate(pieces)}
        self.size = 2 * len(single) + len(merges) + len(SPECIAL)

    @classmethod
    def read(cls, file: Path | str) -> Tokenizer:
        """Read the published vocabulary, gzipped or not. Raises `InputError`."""
        path = Path(file).expanduser()
        try:
            with path.open("rb") as packed:
                opened = gzip.open if packed.read(2) == b"\x1f\x8b" else open
            with opened(path, "rt", encoding="utf-8") as lines:
                head = lines.readline(200)
                merges = [tuple(line.split()) for line in islice(lines, MERGES)]
        except (UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise InputError(f"{shown(path.name)} is damaged or no text: {FILE} is needed") from error
        except OSError as error:
            raise InputError(f"{shown(path.name)} cannot be read: {error.strerror}") from error
        pairs = [merge for merge in merges if len(merge) == 2]
        if "#version" not in head or not pairs or len(pairs) != len(merges):
            raise InputError(f"{shown(path.name)} is no vocabulary: {FILE} is needed")
        return cls(pairs)

    def ids(self, text: str) -> list[int]:
        """The numbers of all pieces of ``text``, without those of start and end."""
        return [self.numbers[part] for piece in pieces(tidied(text)) for part in self._merged(piece)]

    def _merged(self, piece: str) -> list[str]:
        if piece in SPECIAL:
            return [piece]
        parts = [SYMBOLS[byte] for byte in piece.encode()]
        parts[-1] += END
        while len(parts) > 1:
            best = min(pairwise(parts), key=lambda pair: self.ranks.get(pair, len(self.ranks)))
            if best not in self.ranks:
                break
            parts = list(joined(parts, best))
        return parts


def joined(parts: Sequence[str], pair: tuple[str, str]) -> Iterator[str]:
    """``parts`` with each occurrence of ``pair``, from the left, in one."""
    rest = iter(range(len(parts)))
    for index in rest:
        if tuple(parts[index : index + 2]) == pair:
            yield "".join(pair)
            next(rest)
        else:
            yield parts[index]


def tidied(text: str) -> str:
    """One line in lower case, with HTML's entities resolved and typographic variants made plain.

    The published code repairs wrongly decoded text too, which is left as it is here.
    """
    whole = text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    plain = html.unescape(html.unescape(whole.translate(TIDY)))
    return " ".join(unicodedata.normalize("NFC", plain).split()).lower()


def pieces(text: str) -> Iterator[str]:
    """Words, single digits, runs of other signs, and the endings of English after an apostrophe."""
    at = 0
    while at < len(text):
        found, kind = SHORT.match(text, at), kind_of(text[at])
        end = found.end() if found else at + 1
        while not found and kind != "N" and end < len(text) and kind_of(text[end]) == kind:
            end += 1
        if kind != "space":
            yield text[at:end]
        at = end


def kind_of(sign: str) -> str:
    """L for a letter, N for a number, else whether it is a space."""
    kind = unicodedata.category(sign)[0]
    return kind if kind in "LN" else "space" if sign.isspace() else "other"
