"""The Blender extension in a real Blender, without its window: the zip is built and installed, strips are rendered and read.

Needs a Python that has bpy (4.2 to 5.0), named by BLENDER_PYTHON: ``pip install bpy==5.0.1`` for Python 3.11.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from blender_clips import numbered

ROOT = Path(__file__).parents[2]
PYTHON = os.environ.get("BLENDER_PYTHON")
pytestmark = [
    pytest.mark.blender,
    pytest.mark.slow,
    pytest.mark.skipif(not PYTHON, reason="BLENDER_PYTHON names no Python that has bpy: the Blender extension is not tested"),
]
MIXED = "mixed"


@pytest.fixture(scope="module")
def extension(tmp_path_factory) -> Path:
    """The zip, as Blender's own tool validates and builds it."""
    folder = tmp_path_factory.mktemp("dist")
    words = [sys.executable, str(ROOT / "editors" / "blender" / "build.py"), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(folder.glob("*.zip"))


@pytest.fixture(scope="module")
def clips(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    numbered(folder / "n24.mkv", 200)
    numbered(folder / "n50.mkv", 200, Fraction(50))
    return folder


@pytest.fixture
def blender(tmp_path, extension, clips):
    """Runs lines in Blender, see ``in_blender.py``, in a folder with a space and an umlaut in its name."""
    folder = tmp_path / "my film – Übung"
    folder.mkdir()
    for clip in clips.iterdir():
        shutil.copy(clip, folder)
    program = folder / "the vfi"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" OMP_NUM_THREADS=1 exec "{sys.executable}" -m vfi "$@"\n')
    program.chmod(0o755)

    def run(lines: str) -> dict:
        answer = tmp_path / "answer.json"
        task = {"folder": str(folder), "zip": str(extension), "vfi": str(program), "lines": lines, "answer": str(answer)}
        home = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        home["BLENDER_USER_RESOURCES"] = str(tmp_path / "resources")
        words = [PYTHON, str(ROOT / "tests" / "in_blender.py"), json.dumps(task)]
        done = subprocess.run(words, env=home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, (done.stdout + done.stderr)[-3000:]
        assert "Traceback" not in done.stdout + done.stderr
        return json.loads(answer.read_text(encoding="utf-8"))

    run.folder = folder
    return run


def test_half_speed_gets_its_frames_and_keeps_all_else(blender):
    told = blender("""
strip = add("m")
speed(strip, 50.0)
strip.frame_final_end = 61
strip.blend_alpha = 0.5
strip.keyframe_insert("blend_alpha", frame=1)
strip.blend_alpha = 1
strip.keyframe_insert("blend_alpha", frame=20)
strip.transform.offset_x = 3
strip.color_saturation = 0.25
bpy.ops.ed.undo_push(message="before")
told["before"] = [place(strip), codes(*range(20, 30))]
told["error"] = said(bpy.ops.inbetween.smooth)
told["after"] = [place(strip), codes(*range(20, 30))]
scene.frame_set(1)
told["kept"] = [strip.blend_alpha, strip.transform.offset_x, strip.color_saturation]
told["file"] = strip.filepath
bpy.ops.ed.undo_push(message="after")
bpy.ops.ed.undo()
scene = bpy.context.scene
editor = scene.sequence_editor
strip = (editor.strips if hasattr(editor, "strips") else editor.sequences)["m"]
told["undone"] = [strip.filepath, len(strip.retiming_keys), place(strip), codes(*range(20, 30))]
""")
    assert told["error"] is None
    assert told["before"][0] == told["after"][0] == told["undone"][2] == [1, 61, 1]
    assert MIXED not in told["before"][1]
    assert told["before"][1] == told["undone"][3]
    assert told["after"][1] == [MIXED, 10, MIXED, 11, MIXED, 12, MIXED, 13, MIXED, 14]
    assert told["kept"] == [0.5, 3, 0.25]
    assert told["undone"][:2] == [str(blender.folder / "n24.mkv"), 2]
    assert Path(told["file"]).parent == blender.folder / "inbetween"


def test_trimmed_reversed_and_repeated_strips(blender):
    told = blender("""
cut = add("cut")
speed(cut, 50.0)
cut.frame_final_start, cut.frame_final_end = 30, 50
told["cut"] = [said(bpy.ops.inbetween.smooth), place(cut), codes(30, 31, 32, 33, 49)]
cut.mute = True
one = add("one", channel=2)
speed(one, 50.0)
one.frame_final_end = 21
two = add("two", channel=2, start=101)
speed(two, 50.0)
two.frame_final_end = 121
pick(one, two)
told["two"] = [said(bpy.ops.inbetween.smooth), codes(1, 2, 3, 20), codes(101, 102, 103, 120), one.filepath == two.filepath]
one.mute = two.mute = True
back = add("back", channel=3)
speed(back, 50.0)
back.use_reverse_frames = True
back.frame_final_start, back.frame_final_end = 41, 61
told["back"] = [said(bpy.ops.inbetween.smooth), place(back), codes(41, 42, 43, 60), back.use_reverse_frames]
back.mute = True
slow = add("slow", channel=4)
slow.use_reverse_frames = True
slow.frame_final_end = 21
told["slow"] = [said(lambda: bpy.ops.inbetween.slow(factor=2)), place(slow), codes(1, 2, 3, 39)]
told["made"] = len(made())
told["again"] = [said(bpy.ops.inbetween.smooth), len(made())]
""")
    assert told["cut"] == [None, [30, 50, 1], [MIXED, 15, MIXED, 16, 24]]
    assert told["two"] == [None, [0, MIXED, 1, MIXED], [0, MIXED, 1, MIXED], True]
    assert told["back"] == [None, [41, 61, 3], [MIXED, 179, MIXED, 170], False]
    assert told["slow"] == [None, [1, 41, 4], [199, MIXED, 198, 180]]
    assert told["made"] == 4
    assert told["again"] == [None, 4]


def test_a_second_run_takes_the_clip_that_is_there(blender):
    told = blender("""
for name in ("first", "second"):
    strip = add(name)
    speed(strip, 25.0)
    strip.frame_final_end = 41
    told[name] = [said(bpy.ops.inbetween.smooth), codes(1, 2, 5), made()]
    told[name + " time"] = (folder / "inbetween" / made()[0]).stat().st_mtime_ns
    strips.remove(strip)
""")
    assert told["first"] == told["second"]
    assert told["first"][:2] == [None, [0, MIXED, 1]]
    assert told["first time"] == told["second time"]


def test_fifty_frames_per_second_in_a_scene_of_24(blender):
    told = blender("""
strip = add("m", "n50.mkv")
strip.frame_final_end = 101
told["smooth"] = [said(bpy.ops.inbetween.smooth), place(strip), strip.filepath == str(folder / "n50.mkv")]
told["match"] = [said(bpy.ops.inbetween.match_rate), place(strip), codes(1, 13, 25, 37), codes(4)]
""")
    assert told["smooth"] == [None, [1, 101, 1], True]  # Python adds it frame by frame: it lacks nothing
    assert told["match"] == [None, [1, 49, 1], [0, 25, 50, 75], [MIXED]]


def test_a_strip_that_follows_the_rate_of_its_file(blender):
    """Blender's dialog makes such strips, and keeps the rate of their first file; Blender 5.0's crashes without a window."""
    shutil.copy(ROOT / "tests" / "data" / "editors" / "auto_rate.blend", blender.folder)
    told = blender("""
bpy.ops.wm.open_mainfile(filepath=str(folder / "auto_rate.blend"))
scene = bpy.context.scene
scene.render.image_settings.file_format = "PNG"
scene.view_settings.view_transform = "Standard"
editor = scene.sequence_editor
strips = editor.strips if hasattr(editor, "strips") else editor.sequences
strip = strips["auto"]
pick(strip)
blur = effect("blur", "GAUSSIAN_BLUR", 2, strip)
blur.size_x = blur.size_y = 0
strip["mine"] = 3
strip.color_tag = "COLOR_01"
strip.color_saturation = 0.5
strip.blend_alpha = 0.95
strip.keyframe_insert("blend_alpha", frame=1)
told["before"] = [place(strip), codes(*range(1, 8))]
pick(strip)
told["error"] = said(bpy.ops.inbetween.smooth)
strip = strips["auto"]
told["after"] = [place(strip), codes(1, 2, 13, 25, 37), codes(7)]
points = strip.modifiers[0].curve_mapping.curves[3].points
told["kept"] = [strip["mine"], strip.color_tag, strip.color_saturation, blur.input_1 == strip, len(strips)]
told["curve"] = [round(value, 3) for point in points for value in point.location]
told["file"] = strip.filepath
told["again"] = [said(bpy.ops.inbetween.smooth), strip.filepath]
""")
    assert told["before"] == [[1, 49, 1], [0, 2, 4, 6, 8, 10, 13]]
    assert told["error"] is None
    assert told["after"] == [[1, 49, 1], [0, 2, 25, 50, 75], [MIXED]]
    assert told["kept"] == [3, "COLOR_01", 0.5, True, 2]
    assert told["curve"] == [0, 0.05, 1, 0.95]
    assert told["file"].startswith("//inbetween/")
    assert told["again"] == [None, told["file"]]


def test_speed_control(blender):
    told = blender("""
strip = add("m")
strip.frame_final_start, strip.frame_final_end = 11, 51
fast = effect("speed", "SPEED", 2, strip)
told["stretch"] = said(bpy.ops.inbetween.smooth)
fast.speed_control, fast.speed_factor = "MULTIPLY", -1
told["minus"] = said(bpy.ops.inbetween.smooth)
fast.speed_factor = 0.25
fast.keyframe_insert("speed_factor", frame=1)
told["animated"] = said(bpy.ops.inbetween.smooth)
scene.animation_data_clear()
pick(fast)
told["smooth"] = [said(bpy.ops.inbetween.smooth), place(strip), fast.speed_factor, codes(11, 12, 13, 15, 47)]
""")
    assert "set its Speed Control to Multiply" in told["stretch"]
    assert "must be above 0" in told["minus"]
    assert "animated" in told["animated"]
    assert told["smooth"] == [None, [11, 51, 1], 1, [10, MIXED, MIXED, 11, 19]]


def test_a_scene_of_23_976_frames_per_second(blender):
    numbered(blender.folder / "ntsc.mkv", 60, Fraction(24000, 1001))
    told = blender("""
scene.render.fps_base = 1.001
strip = add("m", "ntsc.mkv")
told["match"] = [said(bpy.ops.inbetween.match_rate), strip.filepath == str(folder / "ntsc.mkv")]
told["slow"] = [said(lambda: bpy.ops.inbetween.slow(factor=2)), place(strip), codes(*range(1, 120, 2)), strip.fps]
""")
    assert told["match"] == [None, True]
    assert told["slow"][:3] == [None, [1, 121, 1], list(range(60))]
    assert told["slow"][3] == pytest.approx(24000 / 1001, abs=1e-4)


def test_effects_and_meta_strips_follow(blender):
    told = blender("""
one = add("one")
speed(one, 50.0)
one.frame_final_end = 41
two = add("two", channel=2, start=31)
speed(two, 50.0)
two.frame_final_end = 81
try:
    cross = strips.new_effect("cross", "GAMMA_CROSS", 3, frame_start=31, length=10, input1=one, input2=two)
except TypeError:  # Blender 4.2
    cross = strips.new_effect("cross", "GAMMA_CROSS", 3, frame_start=31, frame_end=41, seq1=one, seq2=two)
told["before"] = [place(cross), place(one), place(two)]
pick(one, two)
told["smooth"] = [said(bpy.ops.inbetween.smooth), codes(20, 21, 60, 61)]
told["after"] = [place(cross), place(one), place(two)]
told["inputs"] = [cross.input_1.name, cross.input_2.name]
for strip in (cross, one, two):
    strips.remove(strip)
inner = add("inner")
speed(inner, 50.0)
inner.frame_final_end = 41
with sequencer():
    bpy.ops.sequencer.meta_make()
    meta = editor.active_strip
    bpy.ops.sequencer.meta_toggle()
inner = (meta.strips if hasattr(meta, "strips") else meta.sequences)["inner"]
inner.select = True
editor.active_strip = inner
told["inner"] = [said(bpy.ops.inbetween.smooth), place(inner)]
with sequencer():
    bpy.ops.sequencer.meta_toggle()
told["meta"] = [place(meta), codes(20, 21, 22)]
""")
    assert told["before"] == told["after"] == [[31, 41, 3], [1, 41, 1], [31, 81, 2]]
    assert told["smooth"] == [None, [MIXED, 10, MIXED, 15]]
    assert told["inputs"] == ["one", "two"]
    assert told["inner"] == [None, [1, 41, 1]]
    assert told["meta"] == [[1, 41, 1], [MIXED, 10, MIXED]]


def test_a_turned_video_is_shown_as_before_or_refused(blender):
    """A phone turns its videos by a matrix in the file. Blender 5.0 heeds it, as the program does; Blender 4.2 does not."""
    turned(numbered(blender.folder / "phone.mp4", 60, codec="libx264"))
    told = blender("""
strip = add("m", "phone.mp4")
speed(strip, 50.0)
strip.frame_final_end = 21
told["error"] = said(bpy.ops.inbetween.smooth)
told["sizes"] = [[strip.elements[0].orig_width, strip.elements[0].orig_height]]
told["unchanged"] = [len(strip.retiming_keys), strip.filepath == str(folder / "phone.mp4"), place(strip)]
""")
    if told["error"] is None:
        assert told["sizes"] == [[90, 160]]
    else:
        assert "its rotation is not read by this Blender" in told["error"]
        assert told["unchanged"] == [2, True, [1, 21, 1]]


def turned(path: Path) -> None:
    """Give an MP4 the matrix of a quarter turn."""
    data = bytearray(path.read_bytes())
    matrix = data.find(b"tkhd") + 4 + 40
    assert struct.unpack(">9i", data[matrix : matrix + 36])[:2] == (65536, 0)
    data[matrix : matrix + 36] = struct.pack(">9i", 0, 65536, 0, -65536, 0, 0, 90 * 65536, 0, 1 << 30)
    path.write_bytes(data)


def test_what_cannot_be_done_is_an_error_and_changes_nothing(blender):
    told = blender("""
import os
strip = add("m")
speed(strip, 50.0)
strip.frame_final_end = 61
chosen.program = str(folder / "no vfi")
told["given"] = said(bpy.ops.inbetween.smooth)
path, os.environ["PATH"], chosen.program = os.environ["PATH"], str(folder), ""
told["found"] = said(bpy.ops.inbetween.smooth)
os.environ["PATH"], chosen.program = path, given["vfi"]
(folder / "not a folder").write_text("")
chosen.folder = "//not a folder"
told["folder"] = said(bpy.ops.inbetween.smooth)
chosen.folder = "//inbetween"
told["unchanged"] = [place(strip), len(strip.retiming_keys), made()]
with sequencer():
    bpy.ops.sequencer.retiming_key_add(timeline_frame=20)
told["ramp"] = said(bpy.ops.inbetween.smooth)
strips.remove(strip)
strip = add("m")
strip.filepath = str(folder / "gone.mkv")
told["gone"] = said(bpy.ops.inbetween.smooth)
strips.remove(strip)
strip, other = add("m"), add("other", start=700)
pick(strip)
told["way"] = said(lambda: bpy.ops.inbetween.slow(factor=8))
told["cut"] = [said(lambda: bpy.ops.inbetween.slow(factor=8, longer=False)), place(strip), codes(1, 5, 9, 17)]
pick(strip)
with sequencer():
    bpy.ops.sequencer.meta_make()
told["meta"] = [editor.active_strip.type, said(bpy.ops.inbetween.smooth)]
for one in strips:
    one.select = False
editor.active_strip = None
strips.remove(editor.active_strip) if editor.active_strip else None
locked = add("locked")
locked.lock = True
told["locked"] = said(lambda: bpy.ops.inbetween.slow(factor=2))
strips.remove(locked)
told["none"] = said(bpy.ops.inbetween.smooth)
(folder / "text.mkv").write_text("no video")
try:
    told["text"] = [add("t", "text.mkv", channel=7).name, said(bpy.ops.inbetween.smooth)][1]
except RuntimeError:
    told["text"] = "cannot be read"
""")
    assert "is not a program: give the path of vfi" in told["given"]
    assert "vfi was not found: give the path of vfi" in told["found"]
    assert "cannot be written to" in told["folder"]
    assert told["unchanged"] == [[1, 61, 1], 2, []]
    assert "speed ramp" in told["ramp"]
    assert "gone.mkv" in told["gone"]
    assert "is missing" in told["gone"]
    assert "other begins at frame 700" in told["way"]
    assert told["cut"] == [None, [1, 201, 1], [0, MIXED, 1, 2]]
    assert told["meta"][0] == "META"
    assert "is a meta strip" in told["meta"][1]
    assert "No strip is selected" in told["none"]
    assert "locked is locked" in told["locked"]
    assert "cannot be read" in told["text"]
    for sentence in (told[name] for name in ("given", "found", "folder", "ramp", "gone", "way", "none")):
        assert "Traceback" not in sentence


def test_an_error_of_the_program_is_told(blender):
    told = blender("""
strip = add("m")
speed(strip, 50.0)
strip.frame_final_end = 61
data = (folder / "n24.mkv").read_bytes()
(folder / "n24.mkv").write_bytes(data[:2000])
told["error"] = said(bpy.ops.inbetween.smooth)
told["made"] = made()
""")
    assert told["error"].startswith("Error: ")
    assert "Traceback" not in told["error"]
    assert told["made"] == []


def test_an_unsaved_file_has_no_folder(blender):
    told = blender("""
bpy.ops.wm.read_homefile(app_template="")
scene = bpy.context.scene
scene.sequence_editor_create()
editor = scene.sequence_editor
strips = editor.strips if hasattr(editor, "strips") else editor.sequences
strip = add("m", "n50.mkv")
told["error"] = said(bpy.ops.inbetween.match_rate)
""")
    assert "Save the .blend file first" in told["error"]


MODAL = """
import time
from types import SimpleNamespace
from bl_ext.user_default.inbetween_vfi import Making

class Stand(Making):
    "What stands for the operator, which only a window can start."
    def __init__(self):
        self.said = []
    def report(self, kind, text):
        self.said.append([*kind, text])
    def wanted(self, strip):
        return strip

def events(stand, *kinds):
    answers = [stand.modal(bpy.context, SimpleNamespace(type=kind)) for kind in kinds]
    return [list(answer)[0] for answer in answers]

strip = add("m")
speed(strip, 50.0)
strip.frame_final_end = 61
stand = Stand()
begun = stand.begin(bpy.context)
stand.timer = bpy.context.window_manager.event_timer_add(0.1, window=bpy.context.window)
"""


def test_the_modal_operator_watches_and_changes_the_strip(blender):
    told = blender(
        MODAL
        + """
stand.work[0][2].start()
told["first"] = events(stand, "MOUSEMOVE", "TIMER")
while (answer := events(stand, "TIMER")) == ["RUNNING_MODAL"]:
    time.sleep(0.05)
told["answer"] = [begun, answer, stand.said, stand.timer, stand.work[0][2].percent]
told["after"] = [place(strip), codes(20, 21), len(made())]
"""
    )
    assert told["first"] == ["RUNNING_MODAL", "RUNNING_MODAL"]
    assert told["answer"] == [True, ["FINISHED"], [["INFO", "30 new frames in m"]], None, 100]
    assert told["after"] == [[1, 61, 1], [MIXED, 10], 1]


def test_panel_and_preferences_are_drawn(blender):
    told = blender("""
import bl_ext.user_default.inbetween_vfi as extension
from types import SimpleNamespace

class Layout:
    "What stands for Blender's layout; a property that does not exist fails."
    def __init__(self):
        self.names, self.buttons = [], {}
    def row(self, align=False):
        return self
    def prop(self, owner, name, **more):
        getattr(owner, name)
        self.names.append(name)
    def operator(self, name):
        self.buttons[name] = SimpleNamespace()
        return self.buttons[name]

layout = Layout()
bpy.context.window_manager.inbetween_factor = 4
bpy.context.window_manager.inbetween_longer = False
extension.SidebarPanel.draw(SimpleNamespace(layout=layout), bpy.context)
told["panel"] = [layout.names, {name: vars(button) for name, button in layout.buttons.items()}]
layout = Layout()
values = {name: getattr(chosen, name) for name in ("program", "folder", "quality", "codec", "handles")}
extension.Preferences.draw(SimpleNamespace(layout=layout, **values), bpy.context)
told["preferences"] = layout.names
extension.unregister()
told["gone"] = hasattr(bpy.types.WindowManager, "inbetween_factor")
extension.register()
""")
    assert told["panel"] == [
        ["inbetween_factor", "inbetween_longer", "quality", "codec"],
        {"inbetween.smooth": {}, "inbetween.slow": {"factor": 4, "longer": False}, "inbetween.match_rate": {}},
    ]
    assert told["preferences"] == ["program", "folder", "quality", "codec", "handles"]
    assert told["gone"] is False


def test_escape_leaves_everything_as_it_was(blender):
    told = blender(
        MODAL
        + """
run = stand.work[0][2]
run.start()
process = run._process
told["answer"] = [events(stand, "TIMER", "ESC"), stand.said, stand.timer]
told["ended"] = process.poll() is not None
told["after"] = [place(strip), len(strip.retiming_keys), strip.filepath == str(folder / "n24.mkv"), made()]
second = Stand()
second.begin(bpy.context)
second.timer = None
second.work[0][2].start()
process = second.work[0][2]._process
second.cancel(bpy.context)
told["closed"] = [process.poll() is not None, made()]
"""
    )
    assert told["answer"] == [["RUNNING_MODAL", "CANCELLED"], [["INFO", "Stopped: no strip has changed"]], None]
    assert told["ended"]
    assert told["after"] == [[1, 61, 1], 2, True, []]
    assert told["closed"] == [True, []]
