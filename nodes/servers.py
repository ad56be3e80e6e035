"""The switches of a server that several people use: what nodes may tell, and what they may fetch.

Both are environment variables, so that no workflow and no prompt can change them. See docs/servers.md.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import gettempdir

import folder_paths

from ..vfi.core import InputError
from ..vfi.model.weights import folders
from ..vfi.parse import last_names, switch

HIDE_PATHS = "INBETWEEN_HIDE_PATHS"


def told(text: str) -> str:
    """``text`` as it may be shown: each path in it is its last name if ``INBETWEEN_HIDE_PATHS`` is set."""
    if not switch(os.environ.get(HIDE_PATHS)):
        return text
    return last_names(text, _known())


@contextmanager
def discreet() -> Iterator[None]:
    """Within, an error whose words name a path becomes an `InputError` whose words do not, see `told`."""
    try:
        yield
    except Exception as error:
        text = str(error)
        shown = told(text)
        if shown == text:
            raise
        raise InputError(shown) from None


def _known() -> set[str]:
    """The folders that messages may name, which are not those of the file system's root."""
    places = [
        Path.home(),
        Path(gettempdir()),
        Path(folder_paths.models_dir),
        Path(folder_paths.get_input_directory()),
        Path(folder_paths.get_output_directory()),
        Path(folder_paths.get_temp_directory()),
        *map(Path, folder_paths.get_folder_paths(folders.COMFYUI_FOLDER)),
        folders.cache_folder(),
        folders.SHIPPED,
        Path(__file__).parents[1],
        Path.cwd(),
    ]
    both = {str(place.absolute()) for place in places} | {str(place.resolve()) for place in places}
    return {place for place in both if Path(place).name}
