"""Tweening by diffusion: the frames between two keyframes, drawn from noise by networks that take both.

`framer` and `svdkfi` each are one published method, `svd` the networks that they share. Knows nothing of files or of the rest
of the library but tracks and matches.
"""
