"""Mutated files: every kind of input, damaged at random from a seed, is read by the command in a process of its own.

``python -m tests.fuzz --minutes 5 --seed 7`` from the checkout. See `server` for what a run must keep to.
"""
