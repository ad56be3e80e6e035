"""Inbetween for DaVinci Resolve: a new timeline in which retimed clips have real frames. Your own timeline stays as it is.

Run it from Workspace > Scripts. It exports the timeline as OTIO, runs ``vfi conform`` and imports the result. It is copied to
Resolve by ``vfi editors install resolve``, and imports nothing but Python's standard library. Its words go to the Console.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

PROGRAM = ""
"""The path of vfi; `vfi editors install resolve` fills it in."""

FOLDER = ""
"""Where new media goes; filled in likewise."""

OPTIONS = ["--codec", "prores"]
"""More options for vfi conform, such as "--quality", "best"."""

DONE, SOME_LEFT = 0, 3
"""Exit codes of vfi conform that come with a new timeline."""


class StoppedError(Exception):
    """Why there is no new timeline, in a sentence."""


def say(text: str) -> None:
    """A line for the user, in Resolve's Console."""
    sys.stdout.write(f"Inbetween: {text}\n")


def smoothed(resolve: Any) -> Any:
    """The new timeline beside the current one, or None if there is nothing to do. Raises `StoppedError`."""
    manager = resolve.GetProjectManager()
    project = manager.GetCurrentProject() if manager else None
    if not project:
        raise StoppedError("no project is open")
    timeline = project.GetCurrentTimeline()
    if not timeline:
        raise StoppedError("no timeline is open")
    if not hasattr(resolve, "EXPORT_OTIO") or resolve.EXPORT_OTIO is None:
        raise StoppedError("this Resolve cannot export OTIO: version 18.5 or later is needed")
    name, folder = timeline.GetName(), Path(FOLDER) / plain(project.GetName())
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as room:
        edit = Path(room) / f"{plain(name)}.otio"
        if not timeline.Export(str(edit), resolve.EXPORT_OTIO, resolve.EXPORT_NONE) or not edit.is_file():
            raise StoppedError(f"Resolve could not export the timeline {name}")
        out = unused(folder, plain(name))
        facts = conformed(edit, out, folder / f"{plain(name)} media")
    for one in facts["left"]:
        say(f"left as it was: {one['clip']}: {one['reason']}")
    if not facts["made"]:
        out.unlink(missing_ok=True)
        say(f"nothing to do: no clip of {name} could be given new frames")
        return None
    wanted = new_name(project, f"{name} smooth")
    made = project.GetMediaPool().ImportTimelineFromFile(str(out), {"timelineName": wanted, "importSourceClips": True})
    if not made:
        raise StoppedError(f"Resolve could not import {out}: try File > Import > Timeline")
    say(f"{wanted}: {len(facts['made'])} clips have new frames")
    return made


def conformed(edit: Path, out: Path, media: Path) -> Any:
    """What ``vfi conform`` says that it made and left. Raises `StoppedError`."""
    words = [PROGRAM or "vfi", "conform", str(edit), str(out), "--media", str(media), "--json", *OPTIONS]
    hidden: dict[str, Any] = {"creationflags": getattr(subprocess, "CREATE_NO_WINDOW", 0)}
    say("making frames, which may take long")
    try:
        done = subprocess.run(words, stdin=subprocess.DEVNULL, capture_output=True, check=False, **hidden)
    except OSError as error:
        raise StoppedError(f"{words[0]} cannot be started ({error.strerror}): run vfi editors install resolve") from error
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode not in (DONE, SOME_LEFT) or not out.is_file():
        told = next((line for line in reversed(said) if line.startswith("vfi: ")), said[-1] if said else "")
        raise StoppedError(f"vfi made no timeline: {told or f'it ended with code {done.returncode}'}")
    try:
        return json.loads(done.stdout.decode("utf-8"))
    except ValueError as error:
        raise StoppedError("vfi answered with something else than JSON: run vfi editors install resolve") from error


def plain(name: str) -> str:
    """A name as a file can have it."""
    return "".join(one if one.isalnum() or one in " -_" else "_" for one in name).strip()[:80] or "timeline"


def unused(folder: Path, name: str) -> Path:
    """A file that does not exist yet."""
    number, path = 1, folder / f"{name}.otio"
    while path.exists():
        number += 1
        path = folder / f"{name} {number}.otio"
    return path


def new_name(project: Any, name: str) -> str:
    """A name that no timeline of the project has."""
    taken = {project.GetTimelineByIndex(index).GetName() for index in range(1, project.GetTimelineCount() + 1)}
    number, found = 1, name
    while found in taken:
        number += 1
        found = f"{name} {number}"
    return found


def main(resolve: Any) -> None:
    """Make the new timeline, and say so or why not."""
    try:
        if not resolve:
            raise StoppedError("Resolve does not answer")
        smoothed(resolve)
    except StoppedError as error:
        say(str(error))
    except OSError as error:
        say(f"{error.filename or FOLDER}: {error.strerror}")


if __name__ == "__main__":
    main(globals().get("resolve"))  # Resolve gives its scripts this name
