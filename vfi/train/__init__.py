"""Training: turns clips, still pictures and teacher models into the weights of a network.

A recipe sets the data, the network and the schedule. Clips are cut into shards once, teachers process those once, and the loop
trains on crops of them and on synthetic motion of stills. Knows nothing of the command or of ComfyUI.
"""

from .data import Material, prepare
from .loop import Progress, train
from .recipe import Recipe, read_recipe

__all__ = ["Material", "Progress", "Recipe", "prepare", "read_recipe", "train"]
