"""Rows of the catalogue that belong to no frame network: one module per kind.

Each module has ``CHECKPOINTS: tuple[Checkpoint, ...]``, whose ``kind`` is the module's name and which are recognised by their
``marks``; and, if several files are needed together, ``SETS: dict[name, tuple[name, ...]]``, a name for some of the rows.
`vfi.model.registry` finds the modules by themselves. They know nothing of the networks, which stand on higher floors.
"""
