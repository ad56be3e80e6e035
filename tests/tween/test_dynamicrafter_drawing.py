"""DynamiCrafter and ToonCrafter: whole runs against those of the published code, and what they do beyond."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from crafting import manifest, stored, tiny_projector, tiny_toon, tiny_unet, turned
from torch import Tensor
from tweening import apart, normal

from vfi.core import InputError
from vfi.tween.dynamicrafter import drawing, schedule
from vfi.tween.dynamicrafter.drawing import Coders, Drawing, DynamiCrafter, Run, condition, lines
from vfi.tween.keyframes import SCALE
