"""Strips of Blender's sequencer: which can be worked on, what they show, and how one gets a new file in its place.

Owns Blender's names and traps, from 4.2 on. Knows nothing of processes and widgets.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bpy

from . import places
from .places import Job, RefusedError, Strip

KINDS = {
    "META": "a meta strip",
    "SCENE": "a scene strip",
    "IMAGE": "an image strip",
    "SOUND": "a sound strip",
    "MOVIECLIP": "a movie clip strip",
    "MASK": "a mask strip",
}
"""The kinds of strips that cannot be worked on, in words."""

HIGHEST = 128
"""The last channel."""

NOT_COPIED = frozenset(
    {
        "rna_type",
        "name",
        "type",
        "filepath",
        "channel",
        "select",
        "select_left_handle",
        "select_right_handle",
        "frame_start",
        "frame_final_start",
        "frame_final_end",
        "frame_final_duration",
        "frame_duration",
        "frame_offset_start",
        "frame_offset_end",
        "animation_offset_start",
        "animation_offset_end",
        "stream_index",
        "use_reverse_frames",
    }
)
"""Properties of a strip that are not taken over by one with another file: its identity and its place."""


def scene_of(context: Any) -> Any:
    """The scene whose sequencer is shown."""
    return getattr(context, "sequencer_scene", None) or context.scene


def strips_of(editor: Any) -> Any:
    """The collection of the strips of an editor or a meta strip, which was called ``sequences`` before Blender 4.4."""
    return editor.strips if hasattr(editor, "strips") else editor.sequences


def every_strip(editor: Any) -> Any:
    """All strips of an editor, those in meta strips too."""
    return editor.strips_all if hasattr(editor, "strips_all") else editor.sequences_all


def shown(editor: Any) -> Any:
    """The strips beside the one in hand: those of the open meta strip, else of the editor."""
    return strips_of(editor.meta_stack[-1] if len(editor.meta_stack) else editor)


def chosen(context: Any) -> list[Any]:
    """The movie strips that are selected, else the active one. Raises `RefusedError` if there is none."""
    editor = scene_of(context).sequence_editor
    if editor is None:
        raise RefusedError("The scene has no sequencer strips")
    selected = [strip for strip in shown(editor) if strip.select]
    movies = [_movie(strip) for strip in selected if strip.type in ("MOVIE", "SPEED")]
    if movies:
        return list({strip.name: strip for strip in movies}.values())
    active = editor.active_strip or (selected[0] if selected else None)
    if active is None:
        raise RefusedError("No strip is selected")
    return [_movie(active)]


def _movie(strip: Any) -> Any:
    """The movie strip that a strip is, or that its Speed Control effect plays."""
    movie = strip.input_1 if strip.type == "SPEED" else strip
    if movie.type != "MOVIE":
        kind = KINDS.get(movie.type, "an effect")
        raise RefusedError(f"{movie.name} is {kind}: only movie strips can be interpolated")
    return movie


def media_of(strip: Any) -> Path:
    """The file of a strip. Raises `RefusedError` if it is missing, or shown in a way that the program cannot follow."""
    path = Path(os.path.normpath(bpy.path.abspath(strip.filepath)))
    if not path.is_file():
        raise RefusedError(f"The file of {strip.name} is missing: {path}")
    if strip.lock:
        raise RefusedError(f"{strip.name} is locked: unlock it first")
    for name, what in (("use_multiview", "views (stereo)"), ("use_deinterlace", "deinterlacing")):
        if getattr(strip, name, False):
            raise RefusedError(f"{strip.name} uses {what}: turn it off, or render the strip to a file first")
    if getattr(strip, "stream_index", 0):
        raise RefusedError(f"{strip.name} shows stream {strip.stream_index} of its file: only the first can be read")
    return path


def read(scene: Any, strip: Any) -> Strip:
    """What a strip shows. Raises `RefusedError`."""
    effect = speed_effect(scene, strip)
    frames, rate, _ = _file_facts(scene, strip, strip.filepath)
    keys = tuple(key.timeline_frame for key in strip.retiming_keys)
    return places.placed(
        places.scene_rate(scene.render.fps, scene.render.fps_base),
        places.rate_of(rate),
        frames,
        length=strip.frame_final_duration,
        offset=places.whole_frames(strip.frame_offset_start),
        content=places.whole_frames(strip.frame_final_duration + strip.frame_offset_start + strip.frame_offset_end),
        skipped=(strip.animation_offset_start, strip.animation_offset_end),
        keys=keys,
        backwards=strip.use_reverse_frames,
        multiplied=places.whole_frames(effect.speed_factor if effect is not None else 1),
    )


def speed_effect(scene: Any, strip: Any) -> Any:
    """The Speed Control effect that plays a strip, or None. Raises `RefusedError` if its speed is no one number."""
    found = [one for one in every_strip(scene.sequence_editor) if one.type == "SPEED" and one.input_1 == strip]
    if not found:
        return None
    if len(found) > 1:
        raise RefusedError(f"{strip.name} has {len(found)} Speed Control effects: only one is possible")
    effect = found[0]
    if effect.speed_control != "MULTIPLY":
        raise RefusedError(f"{effect.name} does not multiply the speed: set its Speed Control to Multiply")
    if _animated(scene, effect, "speed_factor"):
        raise RefusedError(f"The speed factor of {effect.name} is animated: only one speed per strip is possible")
    if effect.speed_factor <= 0:
        raise RefusedError(f"The speed factor of {effect.name} is {effect.speed_factor:g}: it must be above 0")
    return effect


def _animated(scene: Any, strip: Any, name: str) -> bool:
    """Whether a property of a strip has keyframes or a driver."""
    data = scene.animation_data
    if data is None:
        return False
    path = strip.path_from_id(name)
    curves = list(data.drivers)
    if data.action is not None:
        curves += _curves(data.action)
    return any(curve.data_path == path for curve in curves)


def _curves(action: Any) -> Iterable[Any]:
    """The curves of an action, which has them in layers from Blender 4.4 on."""
    if hasattr(action, "fcurves"):
        return list(action.fcurves)
    return [curve for layer in action.layers for strip in layer.strips for bag in strip.channelbags for curve in bag.fcurves]


def _file_facts(scene: Any, strip: Any, path: str) -> tuple[int, float, tuple[int, int]]:
    """Frames, frame rate and size of a file for a strip: a second strip tells them, since the first tells its own length."""
    editor = scene.sequence_editor
    end = max((one.frame_final_end for one in every_strip(editor)), default=1)
    active = editor.active_strip
    try:
        second = strips_of(editor).new_movie("inbetween", path, HIGHEST, int(end) + 1)
    except RuntimeError as error:
        raise RefusedError(f"The file of {strip.name} cannot be read: {path}") from error
    try:
        size = second.elements[0].orig_width, second.elements[0].orig_height
        facts = second.frame_duration, second.fps, size
    finally:
        strips_of(editor).remove(second)
        editor.active_strip = active
    if facts[1] <= 0 or facts[0] < 1:
        raise RefusedError(f"The file of {strip.name} cannot be read as a video: {path}")
    return facts


def make_room(scene: Any, strip: Any, length: int) -> None:
    """Check that a strip can last ``length`` frames. Raises `RefusedError` if another of its channel is in the way."""
    start, end = strip.frame_final_start, strip.frame_final_start + length
    parent = strip.parent_meta()
    for other in strips_of(parent if parent is not None else scene.sequence_editor):
        beside = other.channel == strip.channel and other != strip
        if beside and other.frame_final_start < end and other.frame_final_end > start:
            raise RefusedError(
                f"{strip.name} would last until frame {end - 1}, and {other.name} begins at frame {other.frame_final_start}: "
                "move it, or keep the length"
            )


def give(scene: Any, strip: Any, job: Job, path: Path) -> None:
    """Let a strip show the clip that a job made: at the same place, with everything else that it has."""
    effect = speed_effect(scene, strip)
    frames, _, size = _file_facts(scene, strip, str(path))
    before = _file_facts(scene, strip, strip.filepath)[2]
    if size != before:
        raise RefusedError(
            f"{path} is {size[0]}x{size[1]} and the file of {strip.name} {before[0]}x{before[1]}: "
            "its rotation is not read by this Blender, take a newer one"
        )
    if frames != job.total:
        raise RefusedError(f"{path} has {frames} frames instead of {job.total}: delete it and try again")
    relative = strip.filepath.startswith("//")
    name, start, channel = strip.name, strip.frame_final_start, strip.channel
    strip.channel = _empty_channel(scene)  # else Blender moves a strip that overlaps another in between
    strip.retiming_keys.reset()
    strip.use_reverse_frames = False
    strip.animation_offset_start = strip.animation_offset_end = 0
    strip.filepath = _relative(path) if relative else str(path)
    strip.frame_offset_start = strip.frame_offset_end = 0
    if strip.frame_final_duration != job.total:
        _exchange(scene, strip)  # it follows the frame rate of its first file, for ever
    strip.frame_offset_start, strip.frame_offset_end = job.before, job.after
    strip.frame_start = start - job.before
    strip.channel = channel
    strip.frame_final_end = strip.frame_final_start + job.strip.length  # effects follow it only now
    if effect is not None:
        effect.speed_factor = 1
    if (strip.frame_final_start, strip.frame_final_duration, strip.channel) != (start, job.strip.length, channel):
        raise RefusedError(f"{name} did not keep its place: undo, and report this file")


def _relative(path: Path) -> str:
    try:
        return bpy.path.relpath(str(path))
    except ValueError:  # another drive
        return str(path)


def _empty_channel(scene: Any) -> int:
    used = {one.channel for one in every_strip(scene.sequence_editor)}
    free = [number for number in range(HIGHEST, 0, -1) if number not in used]
    if not free:
        raise RefusedError("Every channel of the sequencer is in use: free one")
    return free[0]


def _exchange(scene: Any, strip: Any) -> None:
    """Replace what is inside a strip by a fresh one of its file, which has no playback rate of its own.

    The strip keeps its identity: effects, keyframes and its name hold on to it.
    """
    parent = strip.parent_meta()
    beside = strips_of(parent if parent is not None else scene.sequence_editor)
    fresh = beside.new_movie("inbetween", strip.filepath, strip.channel, strip.frame_final_end + strip.frame_duration + 1)
    _copy(strip, fresh)
    for key in strip.keys():  # noqa: SIM118
        fresh[key] = strip[key]
    _copy_modifiers(scene, strip, fresh)
    total, content = fresh.frame_final_duration, strip.frame_final_duration
    if content > total:  # only strips of one length can swap
        strip.animation_offset_end = total - total * total // content
    fresh.animation_offset_end = total - strip.frame_final_duration
    strip.swap(fresh)
    beside.remove(fresh)
    strip.animation_offset_end = strip.frame_offset_start = strip.frame_offset_end = 0


def _copy(old: Any, new: Any) -> None:
    """Copy the values of all properties that can be set, those of groups such as the transform too."""
    for one in old.bl_rna.properties:
        if one.identifier in NOT_COPIED:
            continue
        value = getattr(old, one.identifier)
        if one.type == "POINTER":
            if one.is_readonly and value is not None and one.identifier in ("transform", "crop", "colorspace_settings"):
                _copy(value, getattr(new, one.identifier))
        elif not one.is_readonly and one.type != "COLLECTION":
            setattr(new, one.identifier, value)


def _copy_modifiers(scene: Any, old: Any, new: Any) -> None:
    """Copy the modifiers of a strip, with Blender's own operator since curves cannot be set one by one."""
    if not len(old.modifiers):
        return
    editor = scene.sequence_editor
    selected, active = [one for one in every_strip(editor) if one.select], editor.active_strip
    for one in selected:
        one.select = False
    old.select = new.select = True
    editor.active_strip = old
    with sequencer(scene):
        bpy.ops.sequencer.strip_modifier_copy(type="REPLACE")
    new.select = old.select = False
    for one in selected:
        one.select = True
    editor.active_strip = active


class sequencer:
    """Within, operators find a sequencer editor of ``scene``: one that is open, else one in place of another editor."""

    def __init__(self, scene: Any) -> None:
        self._scene = scene
        self._undo: list[Any] = []

    def __enter__(self) -> None:
        window = bpy.context.window or bpy.context.window_manager.windows[0]
        areas = list(window.screen.areas)
        area = next((one for one in areas if one.type == "SEQUENCE_EDITOR"), areas[0])
        before = area.type
        area.type = "SEQUENCE_EDITOR"
        self._undo.append(lambda: setattr(area, "type", before))
        if hasattr(window.workspace, "sequencer_scene"):
            space, was = window.workspace, window.workspace.sequencer_scene
            space.sequencer_scene = self._scene
            self._undo.append(lambda: setattr(space, "sequencer_scene", was))
        region = next(one for one in area.regions if one.type == "WINDOW")
        override = bpy.context.temp_override(window=window, area=area, region=region)
        override.__enter__()
        self._undo.append(lambda: override.__exit__(None, None, None))

    def __exit__(self, *error: object) -> None:
        while self._undo:
            self._undo.pop()()
