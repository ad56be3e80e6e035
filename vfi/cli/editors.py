"""``vfi editors``: the ways into video editors that can be installed, and taken out again."""

from __future__ import annotations

import json
import shutil
import sys
from argparse import SUPPRESS, ArgumentParser, Namespace, _SubParsersAction
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ..clips.clip import Staged, aimed
from ..core import InputError
from ..editors import kconfig, kdenlive, places, resolve
from .report import console_for_people

EDITORS = ("kdenlive", "resolve")

ALLOW = "flatpak override --user --talk-name=org.freedesktop.Flatpak org.kde.kdenlive"


def add_parser(subparsers: _SubParsersAction[ArgumentParser]) -> None:
    """Declare ``editors`` and its commands; the default is to list."""
    editors = subparsers.add_parser(
        "editors",
        help="install clip jobs for Kdenlive, or a script for DaVinci Resolve",
        description="Install what a video editor needs to start vfi. Nothing that others wrote is changed.",
    )
    editors.add_argument("--json", action="store_true", help="print the list as JSON")
    editors.set_defaults(run=list_editors)
    commands = editors.add_subparsers(metavar="COMMAND")
    listing = commands.add_parser("list", help="list the editors, and where something is installed (the default)")
    listing.add_argument("--json", action="store_true", default=SUPPRESS, help="print the list as JSON")
    install = commands.add_parser("install", help="install for an editor; again after vfi has moved")
    install.add_argument("editor", choices=EDITORS)
    install.add_argument("--program", type=Path, metavar="PATH", help="path of vfi, if it is not on PATH")
    install.add_argument("--media", type=Path, metavar="DIR", help="resolve: folder of the new media (Videos/Inbetween)")
    install.set_defaults(run=install_editor)
    uninstall = commands.add_parser("uninstall", help="take out what was installed for an editor")
    uninstall.add_argument("editor", choices=EDITORS)
    uninstall.set_defaults(run=uninstall_editor)


@dataclass(frozen=True)
class Place:
    """A place where something for an editor may be installed, whether the editor seems to be there, and the program started.

    ``program`` is None if nothing is installed.
    """

    editor: str
    path: str
    found: bool
    program: str | None


def list_editors(args: Namespace) -> int:
    found = list(_places())
    if args.json:
        sys.stdout.write(json.dumps([asdict(place) for place in found]) + "\n")
        return 0
    for place in found:
        there = "found" if place.found else "not found"
        state = "nothing is installed" if place.program is None else f"starts {place.program}"
        sys.stdout.write(f"{place.editor}: {there}; {state} ({place.path})\n")
    return 0


def _places() -> Iterator[Place]:
    for install in kdenlive.installs():
        text = _content(install.file) or b""
        name = f"{kdenlive.MARK}{next(iter(kdenlive.JOBS))}"
        group = "Parameters" if install.flatpak else "Binary"
        found = kconfig.entry(text, group, name)
        if found is not None and install.flatpak:
            found = found.removeprefix("--host --watch-bus ").partition(" interpolate ")[0]
        name = "kdenlive (Flatpak)" if install.flatpak else "kdenlive"
        there = install.flatpak or shutil.which("kdenlive") is not None or places.used(install.file.parent, kdenlive.FILE)
        yield Place(name, str(install.file), there, found)
    path = resolve.folder() / resolve.NAME
    lines = (_content(path) or b"").decode("utf-8", "replace").splitlines()
    own = bool(lines) and lines[0].startswith(resolve.HEAD)
    told = next((line.removeprefix("PROGRAM = ").strip("'\"") for line in lines if line.startswith("PROGRAM = ")), "")
    yield Place("resolve", str(path), resolve.found(), told if own else None)


def install_editor(args: Namespace) -> int:
    program, console = _program(args.program), console_for_people()
    if args.editor == "resolve":
        media = (args.media or resolve.media_folder()).expanduser().absolute()
        path = resolve.folder() / resolve.NAME
        _own_script(path)
        _write(path, resolve.script(program, media).encode())
        console.print(
            f"{path}: in Resolve, Workspace > Scripts > {Path(resolve.NAME).stem}; new media goes to {media}", markup=False
        )
        return 0
    if args.media is not None:
        raise InputError("--media was given for kdenlive: its results lie beside their clips, only resolve has a folder")
    new = [
        (one, kconfig.added(_content(one.file), kdenlive.entries(program, one), kdenlive.MARK)) for one in kdenlive.installs()
    ]
    for one, text in new:
        _write(one.file, text)
        console.print(
            f"{one.file}: {len(kdenlive.JOBS)} clip jobs; restart Kdenlive, they are in the menu of a clip", markup=False
        )
        if one.flatpak:
            console.print(f"the Flatpak may start programs outside once you run: {ALLOW}", markup=False)
    return 0


def uninstall_editor(args: Namespace) -> int:
    console = console_for_people()
    if args.editor == "resolve":
        path = resolve.folder() / resolve.NAME
        _own_script(path)
        there = path.is_file()
        path.unlink(missing_ok=True)
        console.print(f"{path}: {'deleted' if there else 'nothing was installed'}", markup=False)
        return 0
    for one in kdenlive.installs():
        before = _content(one.file)
        after = None if before is None else kconfig.removed(before, kdenlive.MARK)
        if before == after:
            console.print(f"{one.file}: nothing was installed", markup=False)
            continue
        if after is None:
            aimed(one.file).unlink()
        else:
            _write(one.file, after)
        console.print(f"{one.file}: the clip jobs are taken out", markup=False)
    return 0


def _program(given: Path | None) -> Path:
    """The absolute path of ``vfi``: what was given, this very command, or what PATH leads to. Raises `InputError`."""
    if given is not None:
        found = shutil.which(given.expanduser().absolute())
        if found is None:
            raise InputError(f"{given} is not a program: give the path of vfi")
        return Path(found)
    running = Path(sys.argv[0])
    found = shutil.which(running.absolute() if running.stem == "vfi" else "vfi")
    if found is None:
        raise InputError("the command vfi is not on PATH: give its path as --program")
    return Path(found).absolute()


def _own_script(path: Path) -> None:
    """Raise `InputError` if another's script has our name."""
    text = _content(path)
    if text is not None and not text.startswith(resolve.HEAD.encode()):
        raise InputError(f"{path} is another script: rename it, since the one of Inbetween has the same name")


def _content(path: Path) -> bytes | None:
    """The bytes of a file; None if there is none. Raises `InputError` if it cannot be read."""
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from error


def _write(path: Path, text: bytes) -> None:
    """Write a file at once and whole, with the rights that it had. Raises `InputError`."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"{path.parent} cannot be made: {error.strerror}") from error
    mode = path.stat().st_mode if path.exists() else None
    staged = Staged(path)
    if mode is not None:
        staged.path.chmod(mode)
    staged.filled(text)
