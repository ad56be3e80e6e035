"""What the messages to and from a worker mean: each request, its answer, and their fields.

Both ends of the pipe are here, so that they cannot differ. Knows nothing of processes or models.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from fractions import Fraction
from typing import Any

from ..core import InputError
from ..parse import Fields, anything, count, listed, one_of, positive, share
from .maker import Asked, Backend, Mark, Missing, Picture
from .protocol import VERSION, Message, Plane

LONGEST = 4096
"""The most characters of a name."""


def hello(asked: Asked) -> Message:
    """The first request: the model to run. Its answer is `welcome`."""
    return Message({"do": "open", "protocol": VERSION, **asdict(asked)})


def asked_of(message: Message) -> Asked:
    """The options of `hello`. Raises `InputError`."""
    fields = Fields(message.head, "", "the first message")
    if fields.take("do", _text) != "open":
        raise InputError("the first message opens no model: its field do must be open")
    version = fields.take("protocol", count(0))
    if version != VERSION:
        raise InputError(f"protocol {version} was asked for, this vfi speaks {VERSION}: install the same version on both sides")
    asked = Asked(**{name: fields.take(name, _text) for name in ("model", "quality", "tta", "drawing", "device")})
    fields.end()
    return asked


def welcome(backend: Backend) -> Message:
    """The answer to `hello`."""
    return Message({"window": backend.window})


def window_of(answer: Message) -> int:
    """The window that `welcome` states. Raises `InputError`."""
    return _answer(answer).take("window", count(2))


def make(window: Sequence[str], given: dict[str, Picture], steps: Sequence[Fraction]) -> Message:
    """The request `Backend.make`."""
    head = {
        "do": "make",
        "window": list(window),
        "given": [{"name": name, "alpha": picture.alpha is not None} for name, picture in given.items()],
        "steps": [str(step) for step in steps],
    }
    return Message(head, _planes(given.values()))


def made_of(answer: Message) -> list[Picture] | Missing:
    """What `make` is answered with."""
    fields = _answer(answer)
    if "missing" in answer.head:
        return Missing(fields.take("missing", _texts))
    return _pictures(fields.take("alpha", listed), answer.planes)


def marks(thumbnails: Plane, known: Sequence[bool | None], spread: bool, threshold: float) -> Message:
    """The request `Backend.marks`."""
    head = {"do": "marks", "known": list(known), "spread": spread, "threshold": threshold}
    return Message(head, (thumbnails,))


def marks_of(answer: Message) -> list[Mark]:
    """What `marks` is answered with."""
    fields = _answer(answer)
    cuts, repeats = fields.take("cuts", listed), fields.take("repeats", listed)
    return [Mark(bool(cut), bool(repeat)) for cut, repeat in zip(cuts, repeats, strict=True)]


def answered(message: Message, backend: Backend) -> Message:
    """The answer of ``backend`` to a request. Raises `InputError`."""
    fields = Fields(message.head, "", "a message")
    if fields.take("do", one_of(["make", "marks"])) == "make":
        names = fields.take("window", _texts)
        rows = fields.objects("given")
        given = [(row.take("name", _text), row.take("alpha", anything)) for row in rows]
        steps = fields.take("steps", lambda value: list(map(positive, listed(value))))
        fields.end()
        pictures = _pictures([bool(alpha) for _, alpha in given], message.planes)
        made = backend.make(names, dict(zip([name for name, _ in given], pictures, strict=True)), steps)
        if isinstance(made, Missing):
            return Message({"missing": list(made.names)})
        return Message({"alpha": [picture.alpha is not None for picture in made]}, _planes(made))
    known = fields.take("known", listed)
    spread, threshold = bool(fields.take("spread", anything)), fields.take("threshold", share)
    fields.end()
    if len(message.planes) != 1:
        raise InputError(f"{len(message.planes)} planes of thumbnails were given: one is needed")
    found = backend.marks(message.planes[0], [None if one is None else bool(one) for one in known], spread, threshold)
    return Message({"cuts": [one.cut for one in found], "repeats": [one.repeat for one in found]})


def failed(sentence: str) -> Message:
    """The answer to a request that cannot be met."""
    return Message({"error": sentence})


def _answer(answer: Message) -> Fields:
    """The fields of an answer. Raises the `InputError` that it brings."""
    if "error" in answer.head:
        raise InputError(str(answer.head["error"]))
    return Fields(answer.head, "", "the answer of the worker")


def _planes(pictures: Any) -> tuple[Plane, ...]:
    return tuple(plane for picture in pictures for plane in (picture.rgb, picture.alpha) if plane is not None)


def _pictures(alphas: Sequence[Any], planes: Sequence[Plane]) -> list[Picture]:
    if len(alphas) + sum(map(bool, alphas)) != len(planes):
        raise InputError(f"a message has {len(planes)} planes: its head names {len(alphas) + sum(map(bool, alphas))}")
    rest = iter(planes)
    return [Picture(next(rest), next(rest) if alpha else None) for alpha in alphas]


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(_text, listed(value)))


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST:
        raise ValueError(f"it must be a text of at most {LONGEST} characters")
    return value
