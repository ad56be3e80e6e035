"""Paths of media as editors on any system write them."""

from __future__ import annotations

from pathlib import Path

import pytest

from vfi.timeline.paths import file_url, media_name, media_path


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("file:///media/a%20b%25.mov", "/media/a b%.mov"),
        ("file://localhost/media/a.mov", "/media/a.mov"),
        ("FILE://localhost/C%3A/a/b.mov", "C:/a/b.mov"),
        ("file:///C:/a.mov", "C:/a.mov"),
        ("file://C:/a.mov", "C:/a.mov"),
        ("file://server/share/a.mov", "//server/share/a.mov"),
        ("file:/media/a.mov", "/media/a.mov"),
        ("C:\\a\\b.mov", "C:/a/b.mov"),
        ("\\\\server\\share\\a.mov", "//server/share/a.mov"),
        ("/media/back\\slash%20.mov", "/media/back\\slash%20.mov"),
        ("./n24.mp4", "./n24.mp4"),
        ("http://example.org/a.mov", "http://example.org/a.mov"),
    ],
)
def test_a_path_is_read(text: str, path: str):
    assert media_path(text) == path


def test_a_path_is_written_as_a_url():
    assert file_url(Path("/media/a b.mov")) == "file:///media/a%20b.mov"
    assert media_path(file_url(Path("/media/é #1 & co%.mov"))) == "/media/é #1 & co%.mov"
    assert media_name("//server/share/a.mov") == "a.mov"
