"""One file per architecture.

Each module holds the network as published, its detection from a state dict, and the table of its published
checkpoints. A module with weights has ``detect(state) -> Spec | None``, ``build(state, options) -> Interpolator`` and
``CHECKPOINTS: tuple[Checkpoint, ...]``; one without has ``BUILTIN: dict[name, Callable[[Options], Interpolator]]``.
``SUITS: dict[name, str]`` says what each of its models is good at; the module's own name stands for all others of them.
`vfi.model.registry` finds them by these names.
"""
