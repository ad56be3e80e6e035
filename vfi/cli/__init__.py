"""The sub-commands of ``vfi``, one module each.

A module has ``add_parser(subparsers)``, which declares its arguments and sets ``run(args) -> exit code`` as their default.
"""
