"""Paint-through: painted or retouched frames, the keys, carried through a shot along its motion.

One idea a module: `keys` says which frame a key is of and what is painted in it, `carry` follows the motion from a key, `even`
that of plain places, `light` the light, `fill` paints what no key shows, `sides` joins what two keys tell, `poisson` hides
seams, `flat` colours line art by its areas, `through` composes them along a clip. Knows nothing of models: it is given what
estimates motion.
"""
