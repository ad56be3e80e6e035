"""Training: from clips, still pictures and teachers to the weights of a network.

A recipe says what is learned from, by which network and how long. Clips are cut to shards once, teachers look at them once, and
the loop learns from crops of them and from still pictures moved exactly. Knows nothing of the command or of ComfyUI.
"""

from .data import Material, prepare
from .loop import Progress, train
from .recipe import Recipe, read_recipe

__all__ = ["Material", "Progress", "Recipe", "prepare", "read_recipe", "train"]
