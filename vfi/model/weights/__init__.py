"""From the name of a model to a file on disk; downloads only on request.

Owns where weights are stored and how they are fetched, verified and converted. Knows nothing of networks: here a model is a row
of the catalogue, and a file maps names to tensors.
"""

from .catalogue import find, members, on_disk, published_as
from .convert import convert
from .fetch import fetch, forbidden
from .files import read
from .folders import COMFYUI_FOLDER, cache_folder, comfyui_folders, search_folders
from .imports import import_files
from .licences import Licence, accept, accepted, licence_of

__all__ = [
    "COMFYUI_FOLDER",
    "Licence",
    "accept",
    "accepted",
    "cache_folder",
    "comfyui_folders",
    "convert",
    "fetch",
    "find",
    "forbidden",
    "import_files",
    "licence_of",
    "members",
    "on_disk",
    "published_as",
    "read",
    "search_folders",
]
