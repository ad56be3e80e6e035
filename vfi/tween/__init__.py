"""Tweening by diffusion: networks conditioned on two keyframes draw the frames between them from noise.

`framer` and `svdkfi` each implement one published method; `svd` holds the networks they share. Apart from `files`, which loads
weights, knows nothing of files, nor of the rest of the library except tracks and matches. `places` and `vace` prepare keyframes
for networks that others run.
"""
