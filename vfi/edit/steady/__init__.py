"""Steady: flicker taken out of a clip.

One idea a module: `light` compares two frames, `even` makes a series even, `still` holds texture, `steady` composes them.
Knows nothing of files or models.
"""
