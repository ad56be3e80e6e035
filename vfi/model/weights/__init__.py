"""From the name of a model to a file on disk, and never a download that was not asked for.

Owns where weights lie, how they are fetched, checked and converted. Knows nothing of networks: to it a model is a row of the
catalogue, and a file is tensors by name.
"""

from .catalogue import find, on_disk
from .convert import convert
from .fetch import fetch
from .files import read
from .folders import COMFYUI_FOLDER, cache_folder, comfyui_folders, search_folders

__all__ = ["COMFYUI_FOLDER", "cache_folder", "comfyui_folders", "convert", "fetch", "find", "on_disk", "read", "search_folders"]
