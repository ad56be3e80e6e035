"""Audits of made frames, from outside: how good is each likely to be, which of its cells are doubtful, and why.

An audit looks at finished pictures. It is no part of any interpolator, and no interpolator sees it.
"""
