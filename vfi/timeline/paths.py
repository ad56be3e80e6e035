"""Paths of media as timelines write them: URLs, percent signs, drives of Windows, network shares.

Looks at texts only, not at files.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

_DRIVE = re.compile(r"[A-Za-z]:[\\/]")


def media_path(text: str) -> str:
    """The path in a URL of a file, or in a text that is a path already, with forward slashes.

    Takes ``file:///media/a%20b.mov``, ``file://localhost/C%3A/a.mov``, ``C:\\a.mov`` and ``\\\\server\\share\\a.mov``. Other
    URLs are returned as they are.
    """
    if text[:5].lower() == "file:":
        path = unquote(text[5:])
        if path.startswith("//"):
            host, slash, rest = path[2:].partition("/")
            path = slash + rest if host in ("", "localhost", "127.0.0.1") or host.endswith(":") else f"//{host}/{rest}"
            if host.endswith(":"):  # file://C:/a.mov
                path = f"{host}/{rest}"
        if _DRIVE.match(path[1:]) and path.startswith("/"):
            path = path[1:]
        return path
    return text.replace("\\", "/") if _DRIVE.match(text) or text.startswith("\\\\") else text


def media_name(path: str) -> str:
    """The last part of a path with forward slashes, whatever the system."""
    return path.rstrip("/").rpartition("/")[2]


def file_url(path: Path) -> str:
    """The URL of a file."""
    return path.absolute().as_uri()
