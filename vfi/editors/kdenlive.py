"""Kdenlive's clip jobs: commands in the menu of a clip, kept in ``clipjobsettings.rc``.

Read in Kdenlive's sources (clipjobmanager.cpp, customjobtask.cpp): the program is an absolute path, parameters are split at
spaces without quotes, ``{source}`` and ``{output}`` are replaced after that, and the exit code is ignored: a file of the name
that Kdenlive gave is taken for the result. So each job has an ending of its own: an earlier result of that name is the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from ..core import InputError
from . import places

MARK = "inbetween-"
FILE = "clipjobsettings.rc"
SPAWN = "/usr/bin/flatpak-spawn"
"""The program by which a Flatpak starts one outside."""


@dataclass(frozen=True)
class Clip:
    """A clip job: its title, the ending of its results, and the words for ``vfi`` besides input and output."""

    title: str
    ending: str
    words: str


JOBS: Mapping[str, Clip] = {
    "slow-2": Clip("Inbetween: 2 times slower", ".slow2.mov", "--slow 2"),
    "slow-4": Clip("Inbetween: 4 times slower", ".slow4.mov", "--slow 4"),
    "slow-8": Clip("Inbetween: 8 times slower", ".slow8.mov", "--slow 8"),
    "to-50": Clip("Inbetween: 50 frames per second", ".50fps.mov", "--fps 50"),
    "to-60": Clip("Inbetween: 60 frames per second", ".60fps.mov", "--fps 60"),
    "anime": Clip("Inbetween: anime, twice the frames", ".anime.mov", "--times 2 --duplicates spread"),
}


@dataclass(frozen=True)
class Install:
    """One Kdenlive: the file of its clip jobs, and whether it runs in a Flatpak."""

    file: Path
    flatpak: bool = False


def installs() -> Iterator[Install]:
    """Where clip jobs go: the folder of an ordinary Kdenlive, and that of the Flatpak if there is one."""
    yield Install(places.data_folder() / "kdenlive" / FILE)
    inside = Path.home() / ".var" / "app" / "org.kde.kdenlive" / "data"
    if inside.is_dir():
        yield Install(inside / "kdenlive" / FILE, flatpak=True)


def entries(program: Path, install: Install) -> dict[str, dict[str, str]]:
    """The entries of all jobs, by group and key. Raises `InputError` if Kdenlive could not start ``program``."""
    path = str(program) if program.drive == "" else program.as_posix()
    if "ffmpeg" in program.name:
        raise InputError(f"{program} has ffmpeg in its name: Kdenlive would add FFmpeg's options, give it another name")
    if " ".join(path.split()) != path:
        raise InputError(f"{program} has a tab or several spaces in a row: Kdenlive keeps one space, give a path without")
    if install.flatpak and " " in path:
        raise InputError(f"{program} has a space in its path: Kdenlive's Flatpak can start only paths without")
    binary, before = (SPAWN, f"--host --watch-bus {path} ") if install.flatpak else (path, "")
    groups: dict[str, dict[str, str]] = {}
    for name, job in JOBS.items():
        values = {
            "Binary": binary,
            "Description": f"{job.title}, with new frames in between",
            "EnabledTypes": "v",
            "FolderName": "Inbetween",
            "FolderUse": "rootfolder",
            "Ids": job.title,
            "Output": job.ending,
            "Parameters": f"{before}interpolate {{source}} {{output}} {job.words} --codec prores --progress percentage",
        }
        for group, value in values.items():
            groups.setdefault(group, {})[MARK + name] = value
    return groups
