"""The base class of all nodes: it checks every input against the schema before a node runs.

A browser's widgets keep their limits, but a prompt sent to the server, and a value linked from another node, may be anything.
Knows nothing of what nodes do.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import wraps
from inspect import signature
from math import isfinite
from numbers import Integral, Real
from typing import Any, ClassVar

from comfy_api.v0_0_2 import io
from torch import Tensor

from ..vfi.core import InputError
from ..vfi.parse import quoted
from . import servers
from .advice import advised

LONGEST = 2**24
"""The most characters of a text."""

TEXTS = ("STRING", "INBETWEEN_DRAWN_TRACKS", "INBETWEEN_DRAWN_CHARTS")
"""Types whose values are texts; the others are the widgets of Track Editor and of Spacing Chart."""

HOLDERS = {"IMAGE": Tensor, "MASK": Tensor, "TRACKS": Mapping, "AUDIO": Mapping}
"""Types whose values are known."""

Given = Mapping[str, Any]


class Refused(InputError):
    """An `InputError` as ComfyUI shows it: after the name of its class, with the path of the module unless that is builtin."""


Refused.__module__, Refused.__qualname__ = "builtins", "Inbetween"


class Node(io.ComfyNode):
    """A node, whose ``execute`` gets only what its schema allows. Raises `InputError` for anything else.

    What ``validate_inputs`` takes is judged by it alone, as in ComfyUI: here only its type is checked.
    """

    LISTS: ClassVar[tuple[str, ...]] = ()
    """Of a node whose schema has ``is_input_list``: the inputs that are taken as lists. Any other has one value for all."""

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        execute = vars(cls).get("execute")
        if execute is not None and not hasattr(execute.__func__, "guarded"):  # ComfyUI copies classes
            cls.execute = classmethod(_guarded(execute.__func__))


def _guarded(execute: Callable[..., Any]) -> Callable[..., Any]:
    """``execute`` of a node, given what `checked` returns."""

    @wraps(execute)
    def run(cls: type[Node], **given: Any) -> Any:
        schema = cls.define_schema()
        judge = getattr(cls, "validate_inputs", None)
        judged = () if judge is None else tuple(signature(judge).parameters)
        ids = {one.id for one in schema.inputs}
        lists = cls.LISTS if schema.is_input_list else None
        unknown = {name: value for name, value in given.items() if name not in ids}  # a mistake of the caller, not of a user
        try:
            with servers.discreet():
                return _run(execute, cls, unknown | checked(schema.inputs, given, lists=lists, judged=judged))
        except InputError as error:
            raise Refused(str(error)).with_traceback(error.__traceback__) from error.__cause__

    run.guarded = True  # type: ignore[attr-defined]
    return run


def _run(execute: Callable[..., Any], cls: type[Node], given: Given) -> Any:
    """What ``execute`` returns; its errors name nodes and widgets where the library names its command."""
    try:
        return execute(cls, **given)
    except InputError as error:
        text = advised(str(error))
        if text == str(error):
            raise
        raise InputError(text) from error


def checked(
    inputs: Sequence[Any], given: Given, *, lists: Sequence[str] | None = None, judged: Sequence[str] = ()
) -> dict[str, Any]:
    """The values that a node is ``given`` for its ``inputs``, as its ``execute`` takes them.

    ``lists``: each value is a list, and the inputs that it names are taken as such. The options of combos named in ``judged``
    are not looked at. An optional input that is None is left out. Raises `InputError`, which names the input, its value and
    what is allowed.
    """
    taken: dict[str, Any] = {}
    for one in inputs:
        name = one.display_name or one.id
        value = given.get(one.id)
        if _absent(value):
            if one.optional:
                continue
            raise InputError(f"{name} was not given: {_allowed(one)} is needed")
        if lists is None:
            taken[one.id] = _read(one, name, value, one.id in judged)
        else:
            values = _listed(one, name, value, one.id in judged)
            taken[one.id] = values if one.id in lists else _single(name, values)
    return taken


def _absent(value: Any) -> bool:
    """Whether a value is None, or a list that holds nothing else."""
    return value is None or (isinstance(value, list) and bool(value) and all(each is None for each in value))


def _listed(one: Any, name: str, value: Any, judged: bool) -> list[Any]:
    """The values of an input that ComfyUI gives as a list; the lists of the sockets of a group, one after the other."""
    if one.io_type == "COMFY_AUTOGROW_V3":
        sockets = _sockets(one, name, value)
        return [each for key, listed in sockets.items() for each in _listed(one.template.input, key, listed, judged)]
    if not isinstance(value, list) or not value:
        raise InputError(f"{name} is {_shown(value)}: a list of one value or more is needed")
    return [_read(one, name, each, judged) for each in value]


def _single(name: str, values: list[Any]) -> Any:
    """The one value of a list. Raises `InputError` if there are several numbers or texts, for then none of them is meant."""
    first = values[0]
    other = next((value for value in values if isinstance(value, str | Real) and value != first), None)
    if other is not None:
        raise InputError(f"{name} is both {_shown(first)} and {_shown(other)} in the list: one value for all is needed")
    return first


def _sockets(one: Any, name: str, value: Any) -> dict[str, Any]:
    """The sockets in use of inputs that grow."""
    given = {key: each for key, each in value.items() if not _absent(each)} if isinstance(value, Mapping) else None
    if given is None or not one.template.min <= len(given) <= len(one.template.names):
        raise _refused(one, name, value)
    return given


def _read(one: Any, name: str, value: Any, judged: bool) -> Any:
    """One value of the input ``one``, in the type that its node takes."""
    kind = one.io_type
    if kind in ("INT", "FLOAT"):
        return _number(one, name, value)
    if kind == "BOOLEAN":
        if type(value).__name__ not in ("bool", "bool_"):
            raise _refused(one, name, value)
        return bool(value)
    if kind in TEXTS or (kind == "COMBO" and judged):
        if not isinstance(value, str) or len(value) > LONGEST:
            raise _refused(one, name, value)
    elif kind == "COMBO":
        if value not in _options(one):
            raise _refused(one, name, value)
    elif kind == "COMFY_DYNAMICCOMBO_V3":
        return _choice(one, name, value)
    elif kind == "COMFY_AUTOGROW_V3":
        return {key: _read(one.template.input, key, each, judged) for key, each in _sockets(one, name, value).items()}
    elif not isinstance(value, HOLDERS.get(kind, object)):
        raise _refused(one, name, value)
    return value


def _number(one: Any, name: str, value: Any) -> int | float:
    whole = one.io_type == "INT"
    if type(value).__name__ in ("bool", "bool_") or not isinstance(value, Integral if whole else Real):
        raise _refused(one, name, value)
    least, most = _limits(one)
    if not (isinstance(value, Integral) or isfinite(value)):
        raise _refused(one, name, value)
    if (least is not None and value < least) or (most is not None and value > most):
        raise _refused(one, name, value)
    return int(value) if whole else float(value)


def _choice(one: Any, name: str, value: Any) -> dict[str, Any]:
    """The answer to a choice that brings inputs of its own: its key, and only the inputs of that key."""
    key = value.get(one.id) if isinstance(value, Mapping) else value
    option = next((option for option in one.options if isinstance(key, str) and option.key == key), None)
    if option is None:
        raise _refused(one, name, key)
    own = value if isinstance(value, Mapping) else {}
    return {one.id: key, **checked(option.inputs, own)}


def _options(one: Any) -> list[Any]:
    options = one.options() if callable(one.options) else one.options
    return [getattr(option, "key", getattr(option, "value", option)) for option in options or ()]


def _limits(one: Any) -> tuple[Any, Any]:
    return getattr(one, "min", None), getattr(one, "max", None)


def _refused(one: Any, name: str, value: Any) -> InputError:
    return InputError(f"{name} is {_shown(value)}: {_allowed(one)} is needed")


def _allowed(one: Any) -> str:
    """What an input takes, for a sentence."""
    kind = one.io_type
    if kind in ("INT", "FLOAT"):
        least, most = _limits(one)
        what = "a whole number" if kind == "INT" else "a finite number"
        return what if least is None or most is None else f"{what} from {_plain(least)} to {_plain(most)}"
    if kind in ("COMBO", "COMFY_DYNAMICCOMBO_V3"):
        options = [str(option) for option in _options(one)]
        listed = ", ".join(options[:12]) + (", ..." if len(options) > 12 else "")
        return f"one of {listed}" if options else "an option"
    if kind == "COMFY_AUTOGROW_V3":
        return f"a set of {one.template.min} to {len(one.template.names)} inputs"
    if kind in TEXTS:
        return f"a text of at most {LONGEST} characters"
    return "true or false" if kind == "BOOLEAN" else f"a value of type {kind}"


def _plain(number: float) -> str:
    return str(int(number)) if number == int(number) else str(number)


def _shown(value: Any) -> str:
    """A value for a sentence: numbers and texts as they are, cut; of all else, the type."""
    if value is None or isinstance(value, str | bool):
        return quoted(value)
    if isinstance(value, Integral):
        return str(int(value)) if abs(int(value)) < 10**40 else f"a number of {int(value).bit_length()} bits"
    if isinstance(value, Real):
        return str(float(value))
    return f"of type {type(value).__name__}"
