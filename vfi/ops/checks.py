"""Checks of windows, options and weights that every network runs before it starts.

Each check passes silently or raises `InputError`. Knows specs and shapes; knows nothing of any particular network.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor, nn

from ..core import InputError, Options, Spec
from ..parse import shown
from .constants import numbers
from .times import is_map


def check_frames(spec: Spec, frames: Sequence[Tensor]) -> None:
    """Check the frames of a window, [B,3,H,W] each: their number, equal shapes and a size that `Spec` allows."""
    shapes = [list(frame.shape) for frame in frames]
    first = shapes[0] if shapes else []
    if len(shapes) != spec.window or len(first) != 4 or first[1] != 3 or any(shape != first for shape in shapes):
        given = ", ".join(map(str, shapes)) or "none"
        raise InputError(f"frames of shape {given} were given: {spec.name} needs {spec.window} of the same shape [B,3,H,W]")
    check_size(spec, frames[0])


def check_times(spec: Spec, t: Tensor, windows: int, size: Sequence[int] | None = None) -> None:
    """Check t [B], or [B,1,H,W] if the network takes a time for every pixel: one per window, or one window for all; and
    t = 1/2 if the network supports no other. ``size`` is the height and width that a map must have."""
    if is_map(t) and spec.time_map:
        sides = list(t.shape[2:] if size is None else size)
        if list(t.shape[1:]) != [1, *sides] or windows not in (1, t.shape[0]):
            needed = "height, width" if size is None else f"{sides[0]}, {sides[1]}"
            raise InputError(f"a map of times of shape {list(t.shape)} was given: [B, 1, {needed}] is needed")
        return
    if t.ndim != 1 or windows not in (1, t.shape[0]):
        raise InputError(
            f"t of shape {list(t.shape)} was given for a window of batch {windows}: "
            f"one t per window is needed, or one window for all"
        )
    if not spec.any_t and any(number != 0.5 for number in numbers(t)):
        raise InputError(f"{spec.name} only supports t = 0.5, not {numbers(t)}")


def check_size(spec: Spec, picture: Tensor) -> None:
    """Check that height and width of [...,H,W] are multiples of ``spec.multiple`` and at least ``spec.min_size``."""
    height, width = picture.shape[-2:]
    if height % spec.multiple or width % spec.multiple:
        raise InputError(
            f"frames of {width}x{height} do not suit {spec.name}: width and height must be multiples of {spec.multiple}"
        )
    if min(height, width) < spec.min_size:
        raise InputError(
            f"frames of {width}x{height} do not suit {spec.name}: width and height must be at least {spec.min_size}"
        )


def check_options(
    name: str,
    options: Options,
    *,
    scales: Collection[float] = (1,),
    ensemble: bool = False,
    variants: Collection[str] = (),
    samples: bool = False,
) -> None:
    """Check that the network ``name`` supports all ``options``."""
    if not samples:
        check_no_sampling(name, options)
    if options.scale not in scales:
        allowed = ", ".join(f"{scale:g}" for scale in scales)
        raise InputError(f"scale {options.scale:g} is not supported: {name} takes {allowed}")
    if options.ensemble and not ensemble:
        raise InputError(f"{name} does not support ensemble")
    if options.variant is not None and options.variant not in variants:
        allowed = ", ".join(variants) or "none"
        raise InputError(f"unknown variant {options.variant!r}: {name} has {allowed}")


def check_no_sampling(name: str, options: Options) -> None:
    """Check that ``options`` have no sampling settings: the model ``name`` draws nothing from noise."""
    if options.sampling is not None:
        raise InputError(
            f"{name} draws nothing from noise: steps, eta, heat and seed are only for models that do, such as ldmvfi"
        )


def load_weights(net: nn.Module, state: Mapping[str, Tensor], name: str, *, assign: bool = False) -> None:
    """Load ``state`` into ``net``. Names and shapes must match exactly, with no extra tensors.

    ``assign``: use the tensors of ``state`` themselves instead of copying them.
    """
    wanted = {key: value.shape for key, value in net.state_dict().items()}
    given = {key: value.shape for key, value in state.items()}
    wrong = sorted(key for key in wanted.keys() | given.keys() if wanted.get(key) != given.get(key))
    if wrong:
        raise InputError(
            f"the weights look like {name}, but {len(wrong)} tensors are missing, unknown or of the wrong shape: "
            f"{', '.join(map(shown, wrong[:3]))}{', ...' if len(wrong) > 3 else ''}"
        )
    net.load_state_dict(state, assign=assign)


def check_no_network(name: str, options: Options) -> None:
    """Check options of a model without weights. Only options that change a network's output are refused; ``refine`` is not."""
    if options.ensemble or options.variant is not None:
        raise InputError(f"{name} is not a neural network: it has no ensemble and no variants")
    check_no_sampling(name, options)
