"""Runs in a Python that has bpy, as ``python in_blender.py JSON``: installs the extension's zip and runs a test's own lines.

The lines see what is defined here, and fill ``told``, which goes back as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import bpy
import numpy as np

BITS = 10
given = json.loads(sys.argv[1])
folder = Path(given["folder"])
told: dict[str, object] = {}


def settle():
    """The extension installed and set, in a saved file with a small sequencer scene at 24 frames per second."""
    done = bpy.ops.extensions.package_install_files(filepath=given["zip"], repo="user_default", enable_on_install=True)
    assert done == {"FINISHED"}, done
    bpy.ops.wm.save_as_mainfile(filepath=str(folder / "edit.blend"))
    chosen = bpy.context.preferences.addons["bl_ext.user_default.inbetween_vfi"].preferences
    chosen.program, chosen.quality, chosen.codec = given["vfi"], "linear", "ffv1"
    scene = bpy.context.scene
    scene.render.resolution_x, scene.render.resolution_y, scene.render.fps = 160, 90, 24
    scene.view_settings.view_transform = "Standard"
    scene.render.image_settings.file_format = "PNG"
    scene.sequence_editor_create()
    return scene, chosen


scene, chosen = settle()
editor = scene.sequence_editor
strips = editor.strips if hasattr(editor, "strips") else editor.sequences


def add(name, file="n24.mkv", channel=1, start=1):
    """A movie strip, selected alone."""
    strip = strips.new_movie(name, str(folder / file), channel, start)
    pick(strip)
    return strip


def effect(name, kind, channel, strip):
    """An effect on a strip."""
    try:
        return strips.new_effect(name, kind, channel, frame_start=1, length=1, input1=strip)
    except TypeError:  # Blender 4.2
        return strips.new_effect(name, kind, channel, frame_start=1, frame_end=1, seq1=strip)


def pick(*chosen):
    """Select these strips alone."""
    for one in strips:
        one.select = one in chosen
    editor.active_strip = chosen[0]


def speed(strip, percent):
    """Retime a strip as the user does."""
    with sequencer():
        bpy.ops.sequencer.retiming_segment_speed_set(speed=percent)


def sequencer():
    window = bpy.context.window
    area = window.screen.areas[0]
    area.type = "SEQUENCE_EDITOR"
    if hasattr(window.workspace, "sequencer_scene"):
        window.workspace.sequencer_scene = scene
    region = next(one for one in area.regions if one.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def codes(*frames):
    """The numbers that frames of the timeline say once rendered; one half more where two neighbours are mixed."""
    found = []
    for frame in frames:
        scene.frame_set(frame)
        scene.render.filepath = str(folder / "render.png")
        bpy.ops.render.render(write_still=True)
        image = bpy.data.images.load(scene.render.filepath, check_existing=False)
        width, height = image.size
        grey = np.array(image.pixels[:]).reshape(height, width, 4)[:, :, :3].mean(2)
        bpy.data.images.remove(image)
        rows = slice(int(height * 0.45), int(height * 0.55))
        bits = [grey[rows, int((b + 0.3) * width / BITS) : int((b + 0.7) * width / BITS)].mean() for b in range(BITS)]
        number = sum(int(bit > 0.5) << place for place, bit in enumerate(bits))
        found.append(number if max(min(bit, 1 - bit) for bit in bits) < 0.15 else "mixed")
    return found


def said(run):
    """What Blender reports as an error of an operator; None if there is none."""
    try:
        run()
    except RuntimeError as error:
        return str(error)
    return None


def place(strip):
    return [strip.frame_final_start, strip.frame_final_end, strip.channel]


def made():
    """The names of the clips beside the .blend file."""
    return sorted(path.name for path in (folder / "inbetween").iterdir()) if (folder / "inbetween").exists() else []


exec(compile(given["lines"], "lines", "exec"))
Path(given["answer"]).write_text(json.dumps(told), encoding="utf-8")
