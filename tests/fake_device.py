"""A device that is not there: tensors that say they are on it, computed by the CPU, and checks of how it is used.

On a real device every read of a value, and every copy that is not from or to pinned memory, stops the CPU until the device
has done all that it was asked to do. Here that raises `Waited`. Float64 and border padding can be forbidden too.

Streams have no queue: all is computed at once, and what matters is the order that the program may rely on. Each access to
memory is compared with those of other streams and of the CPU before it: without an event between them, it raises `Raced`.
Memory that another stream than its own uses must have been recorded there, or the allocator could give it away too early.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

from vfi.model.fast import rife
from vfi.ops import constants, kinds
from vfi.render import lanes

ATEN = torch.ops.aten
KIND = "meta"
"""The kind of the device: torch has one that computes nothing, so nobody else uses it here."""

DEVICE = torch.device(KIND)

READS = {ATEN._local_scalar_dense.default, ATEN.equal.default, ATEN.is_nonzero.default, ATEN.nonzero.default}
READS |= {ATEN.masked_select.default, ATEN._unique2.default, ATEN.item.default}
"""Operators whose result the CPU needs before it can go on."""

LOOKS = {"__get__", "__getitem__", "unbind", "size", "dim", "movedim", "expand", "untyped_storage", "data_ptr", "split"}
"""Functions that read no number."""

Clock = dict[str, int]


class Waited(AssertionError):
    """The CPU would have waited for the device."""


class Raced(AssertionError):
    """Memory was used before those that use it were done with it."""


class Missing(NotImplementedError):
    """An operator or a type that the device does not have."""


class Memory:
    """The accesses to one storage: the last write and the reads since, each by a stream, or the CPU, at its time."""

    def __init__(self, home: str) -> None:
        self.home, self.recorded = home, {home}
        self.users: set[str] = set()
        self.written: tuple[str, int] | None = None
        self.reads: Clock = {}


class Machine:
    """The clocks of the CPU and of every stream, and what each may rely on of the others'."""

    def __init__(self, *, double: bool = True, border: bool = True) -> None:
        self.double, self.border = double, border
        self.clocks: dict[str, Clock] = {"cpu": {}, "main": {}}
        self.memories: dict[int, tuple[Any, Memory]] = {}  # with the storage, so that no address is used twice
        self.pinned: set[int] = set()
        self.waits: list[str] = []
        self.stream = "main"
        self._allowed = 0

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """Within, waits are noted and allowed."""
        self._allowed += 1
        try:
            yield
        finally:
            self._allowed -= 1

    def wait(self, what: str) -> None:
        """The CPU waits for all streams, because of ``what``."""
        if not self._allowed:
            raise Waited(what)
        self.waits.append(what)
        for clock in list(self.clocks.values()):
            self.learn("cpu", clock)

    def learn(self, who: str, clock: Mapping[str, int]) -> None:
        """From here on, ``who`` comes after all that ``clock`` tells of."""
        mine = self.clocks[who]
        for name, at in clock.items():
            mine[name] = max(mine.get(name, 0), at)

    def tick(self, who: str) -> int:
        mine = self.clocks[who]
        mine[who] = mine.get(who, 0) + 1
        return mine[who]

    def pin(self, tensor: Tensor, *, write: bool) -> Tensor:
        self.pinned.add(place(tensor))
        self.memory(tensor)
        if write:
            self.touch(tensor, "cpu", write=True)
        return tensor

    def memory(self, tensor: Tensor) -> Memory:
        """Of a plain tensor: that inside one of the device, or a pinned one."""
        if place(tensor) not in self.memories:
            self.memories[place(tensor)] = tensor.untyped_storage(), Memory(self.stream)
        return self.memories[place(tensor)][1]

    def touch(self, tensor: Tensor, who: str, *, write: bool) -> None:
        """``who``, a stream or the CPU, uses ``tensor`` now. Raises `Raced`."""
        memory, mine = self.memory(tensor), self.clocks[who]
        if who != "cpu":
            memory.users.add(who)
            self.learn(who, self.clocks["cpu"])  # it was asked only now
        at = self.tick(who)

        def known(other: str, when: int) -> bool:
            return other == who or mine.get(other, 0) >= when

        if memory.written is not None and not known(*memory.written):
            raise Raced(f"{who} uses memory that {memory.written[0]} may still write")
        if write:
            late = [other for other, when in memory.reads.items() if not known(other, when)]
            if late:
                raise Raced(f"{who} overwrites memory that {late[0]} may still read")
            memory.written, memory.reads = (who, at), {}
        else:
            memory.reads[who] = at

    def check_recorded(self) -> None:
        """Raises `Raced` if the owner of device memory does not know of a stream that used it."""
        for key, (_, memory) in self.memories.items():
            if key not in self.pinned and (late := memory.users - memory.recorded):
                raise Raced(f"memory of {memory.home} is used by {min(late)}, and was not recorded there")


def place(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


class On(Tensor):
    """A tensor on the device; its numbers are ``inner``'s."""

    inner: Tensor
    machine: Machine

    @staticmethod
    def __new__(cls, inner: Tensor, machine: Machine) -> On:
        if inner.dtype == torch.float64 and not machine.double:
            raise Missing("float64")
        made = Tensor._make_wrapper_subclass(  # type: ignore[attr-defined]
            cls, inner.size(), strides=inner.stride(), storage_offset=inner.storage_offset(), dtype=inner.dtype, device=DEVICE
        )
        made.inner, made.machine = inner, machine
        return made

    def record_stream(self, stream: Any) -> None:
        self.machine.memory(self.inner).recorded.add(stream.name)

    def __repr__(self) -> str:  # type: ignore[override]
        return f"On({self.inner.shape}, {self.inner.dtype})"

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        leaves = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        machine = next(one.machine for one in leaves if isinstance(one, On))
        return computed(machine, func, args, dict(kwargs or {}), leaves)


def computed(machine: Machine, func: Any, args: Any, kwargs: dict[str, Any], leaves: Sequence[Tensor]) -> Any:
    """``func`` of the tensors inside, after checks of what it waits for and whose memory it uses."""
    if func in READS or (func is ATEN.index.Tensor and any(one.dtype == torch.bool for one in leaves)):
        machine.wait(str(func))
    if func is ATEN.grid_sampler_2d.default and args[3] == 1 and not machine.border:
        raise Missing("border padding")
    if func is ATEN.copy_.default:
        return copied(machine, *args[:2], non_blocking=bool(args[2] if len(args) > 2 else kwargs.get("non_blocking")))
    if mixed := [tuple(one.shape) for one in leaves if not isinstance(one, On) and one.ndim]:
        raise Missing(f"{func} mixes devices: {mixed}")
    if kwargs.get("device") is not None:
        assert here(kwargs["device"]), f"{func} leaves the device"
        kwargs["device"] = torch.device("cpu")
    view = any(one.alias_info is not None and not one.alias_info.is_write for one in func._schema.returns)
    for argument, value in zip(func._schema.arguments, args, strict=False):
        writes = argument.alias_info is not None and argument.alias_info.is_write
        for one in tree_leaves(value):
            if isinstance(one, On) and not view:
                machine.touch(one.inner, machine.stream, write=writes)
    made = func(*tree_map(bare, args), **tree_map(bare, kwargs))
    same = {id(one.inner): one for one in leaves if isinstance(one, On)}

    def shown(one: Any) -> Any:
        if not isinstance(one, Tensor) or id(one) in same:
            return same.get(id(one), one)
        if not view:
            machine.touch(one, machine.stream, write=True)
        return On(one, machine)

    return tree_map(shown, made)


def bare(one: Any) -> Any:
    return one.inner if isinstance(one, On) else one


def copied(machine: Machine, target: Tensor, source: Tensor, *, non_blocking: bool) -> Tensor:
    """``target.copy_(source)`` between any two places."""
    for one, write in ((target, True), (source, False)):
        if not isinstance(one, On) and one.ndim and not (non_blocking and place(one) in machine.pinned):
            machine.wait(f"a copy {'to' if write else 'from'} pageable memory")
        machine.touch(bare(one), machine.stream, write=write)
    bare(target).copy_(bare(source))
    return target


class Fake(TorchFunctionMode):
    """Within, `DEVICE` exists."""

    def __init__(self, machine: Machine) -> None:
        super().__init__()
        self.machine = machine

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        machine, kwargs, name = self.machine, dict(kwargs or {}), getattr(func, "__name__", "")
        if name == "pin_memory":
            return machine.pin(args[0].clone(), write=True)
        if kwargs.pop("pin_memory", False):
            return machine.pin(func(*args, **kwargs), write=False)
        leaves = [one for one in tree_leaves((args, kwargs)) if isinstance(one, Tensor)]
        there = any(isinstance(one, On) for one in leaves)
        if name in ("new_tensor", "tensor", "as_tensor") and (there or here(kwargs.get("device"))):
            machine.wait(f"{name} copies a list to the device")
            kwargs.pop("device", None)
            dtype = kwargs.pop("dtype", args[0].dtype if there else None)
            return on(torch.tensor(args[1] if there else args[0], dtype=dtype, **kwargs), machine)
        if name == "where" and there:
            args = (args[0], *self._scalars(args[1:]))
        if name in ("to", "cpu"):
            return self._to(func, name, args, kwargs)
        if here(kwargs.get("device")) and not there:
            return on(func(*args, **{**kwargs, "device": "cpu"}), machine)
        if name not in LOOKS and not there:
            for one in leaves:
                if place(one) in machine.pinned:
                    writes = bool(args) and one is args[0] and (name.endswith("_") or name == "__setitem__")
                    machine.touch(one, "cpu", write=writes)
        return func(*args, **kwargs)

    def _scalars(self, values: tuple[Any, ...]) -> list[Tensor]:
        """Numbers as tensors that the device fills by itself, of the type that torch chooses."""
        tensors = [one if isinstance(one, Tensor) else torch.tensor(one) for one in values]
        dtype = torch.result_type(
            *(one if isinstance(one, Tensor) else bare(made) for one, made in zip(values, tensors, strict=True))
        )
        return [
            one if isinstance(one, On) else on(made.to(dtype), self.machine) for one, made in zip(values, tensors, strict=True)
        ]

    def _to(self, func: Any, name: str, args: Any, kwargs: dict[str, Any]) -> Any:
        this, *asked = args
        asked += [kwargs[key] for key in ("device", "dtype", "other") if key in kwargs]
        places = [
            one.device if isinstance(one, Tensor) else torch.device(one)
            for one in asked
            if not isinstance(one, torch.dtype | bool)
        ]
        dtypes = [one if isinstance(one, torch.dtype) else one.dtype for one in asked if isinstance(one, torch.dtype | Tensor)]
        target = torch.device("cpu") if name == "cpu" else places[0] if places else this.device
        dtype = dtypes[0] if dtypes else this.dtype
        if this.device == target:
            return this if dtype == this.dtype else func(this, dtype)
        plain = bare(this)
        if isinstance(this, On) or not (kwargs.get("non_blocking") and place(plain) in self.machine.pinned):
            self.machine.wait(f"to({target}) of {tuple(this.shape)}")
        self.machine.touch(plain, self.machine.stream, write=False)
        made = plain.clone().to(dtype)
        if not here(target):
            return made
        self.machine.touch(made, self.machine.stream, write=True)
        return On(made, self.machine)


def here(device: Any) -> bool:
    return device is not None and torch.device(device).type == KIND


def on(tensor: Tensor, machine: Machine) -> On:
    """A tensor that is made on the device."""
    machine.touch(tensor, machine.stream, write=True)
    return On(tensor, machine)


def moved(network: torch.nn.Module, machine: Machine) -> torch.nn.Module:
    """``network``, its weights on the device."""
    for part in network.modules():
        for held in (part._parameters, part._buffers):
            for name, value in held.items():
                if value is not None:
                    held[name] = on(value.data, machine)  # type: ignore[assignment]
    return network


@contextmanager
def pretended(monkeypatch: Any, kind: kinds.Kind, **lacks: bool) -> Iterator[Machine]:
    """A `Machine` whose device is of this ``kind``."""
    machine = Machine(**lacks)
    monkeypatch.setitem(kinds.KINDS, KIND, kind)
    made = lanes.Lanes(DEVICE, Streams(machine))
    monkeypatch.setattr(lanes, "_lanes", lambda device: made)
    try:
        with torch.no_grad(), Fake(machine):
            yield machine
        machine.check_recorded()
    finally:
        for cache in (constants._constant, rife.places, rife.spread):
            cache.cache_clear()


# --- streams ------------------------------------------------------------------------------------------------------------------


class Event:
    def __init__(self, machine: Machine, clock: Clock) -> None:
        self.machine, self.clock = machine, clock

    def synchronize(self) -> None:
        self.machine.learn("cpu", self.clock)


class Stream:
    def __init__(self, machine: Machine, name: str) -> None:
        self.machine, self.name = machine, name

    def record_event(self) -> Event:
        self.machine.tick(self.name)
        return Event(self.machine, dict(self.machine.clocks[self.name]))

    def wait_event(self, event: Event) -> None:
        self.machine.learn(self.name, event.clock)


class Streams:
    """What `torch.cuda` offers of streams, for a `Machine`."""

    def __init__(self, machine: Machine) -> None:
        self.machine, self.made = machine, 0

    def Stream(self, device: torch.device) -> Stream:
        self.made += 1
        self.machine.clocks[f"side {self.made}"] = {}
        return Stream(self.machine, f"side {self.made}")

    def current_stream(self, device: torch.device) -> Stream:
        return Stream(self.machine, self.machine.stream)

    @contextmanager
    def stream(self, one: Stream) -> Iterator[None]:
        before, self.machine.stream = self.machine.stream, one.name
        try:
            yield
        finally:
            self.machine.stream = before
