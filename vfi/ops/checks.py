"""What every network asks of a window, of options and of weights before it starts.

Each check passes in silence or raises `InputError`. Knows specs and shapes; knows nothing of any particular network.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from torch import Tensor, nn

from ..core import InputError, Options, Spec


def check_frames(spec: Spec, frames: Sequence[Tensor]) -> None:
    """That the frames of a window, [B,3,H,W] each, are as many as `Spec` says, alike, and of a size that suits."""
    shapes = [list(frame.shape) for frame in frames]
    first = shapes[0] if shapes else []
    if len(shapes) != spec.window or len(first) != 4 or first[1] != 3 or any(shape != first for shape in shapes):
        given = ", ".join(map(str, shapes)) or "none"
        raise InputError(f"frames of shape {given} were given: {spec.name} needs {spec.window} of one shape [B,3,H,W]")
    check_size(spec, frames[0])


def check_times(spec: Spec, t: Tensor, windows: int) -> None:
    """That t [B] is what `Interpolator` says: one t a window, or one window for all; and 1/2 where nothing else is known."""
    if t.ndim != 1 or windows not in (1, t.shape[0]):
        raise InputError(
            f"t of shape {list(t.shape)} does not suit a window of batch {windows}: "
            f"one t a window is needed, or one window for all"
        )
    if not spec.any_t and bool((t != 0.5).any()):
        raise InputError(f"{spec.name} only knows t = 0.5, and {t.tolist()} was given")


def check_size(spec: Spec, picture: Tensor) -> None:
    """That height and width of [...,H,W] are multiples of ``spec.multiple`` and at least ``spec.min_size``."""
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
    """That ``options`` ask for nothing but what the network ``name`` has."""
    if not samples:
        check_no_sampling(name, options)
    if options.scale not in scales:
        allowed = ", ".join(f"{scale:g}" for scale in scales)
        raise InputError(f"scale {options.scale:g} was asked for: {name} takes {allowed}")
    if options.ensemble and not ensemble:
        raise InputError(f"{name} has no ensemble inside the network")
    if options.variant is not None and options.variant not in variants:
        allowed = ", ".join(variants) or "none"
        raise InputError(f"variant {options.variant!r} was asked for: {name} has {allowed}")


def check_no_sampling(name: str, options: Options) -> None:
    """That ``options`` do not say how to draw frames from noise, which the model ``name`` does not do."""
    if options.sampling is not None:
        raise InputError(f"{name} draws nothing from noise: steps, eta and seed are for models that do, such as ldmvfi")


def load_weights(net: nn.Module, state: Mapping[str, Tensor], name: str, *, assign: bool = False) -> None:
    """Load ``state`` into ``net``: every tensor that it has, in the shape that it has, and none besides.

    ``assign``: the net takes the tensors themselves, and copies none.
    """
    wanted = {key: value.shape for key, value in net.state_dict().items()}
    given = {key: value.shape for key, value in state.items()}
    wrong = sorted(key for key in wanted.keys() | given.keys() if wanted.get(key) != given.get(key))
    if wrong:
        raise InputError(
            f"the weights look like {name}, yet {len(wrong)} tensors are missing, unknown or of another shape: "
            f"{', '.join(wrong[:3])}{', ...' if len(wrong) > 3 else ''}"
        )
    net.load_state_dict(state, assign=assign)


def check_no_network(name: str, options: Options) -> None:
    """For a model without weights. Only what would change a network's picture is refused; there is nothing to ``refine``."""
    if options.ensemble or options.variant is not None:
        raise InputError(f"{name} is no network: it has neither an ensemble nor variants")
    check_no_sampling(name, options)
