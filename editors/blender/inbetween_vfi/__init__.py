"""Inbetween in Blender's sequencer: operators, panel and preferences.

Owns what the user sees. The frames are made by the program ``vfi``, which is started as a process of its own.
"""

from fractions import Fraction
from pathlib import Path
from typing import Any, ClassVar

import bpy
from bpy.props import BoolProperty, EnumProperty, FloatProperty, IntProperty, StringProperty

from . import places, strips
from .job import ENDINGS, Options, Run, program
from .places import Job, RefusedError, Strip

QUALITIES = (
    ("draft", "Draft", "Rough motion, without a network"),
    ("fast", "Fast", "The small network at half size"),
    ("normal", "Normal", "The network as it is"),
    ("best", "Best", "The median of four passes: the slowest"),
    ("linear", "Blend", "A blend of the two frames, without motion"),
)
CODECS = (
    ("prores", "ProRes (.mov)", "For editing"),
    ("h264", "H.264 (.mp4)", "Small files"),
    ("hevc", "HEVC (.mp4)", "Smaller files"),
    ("ffv1", "FFV1 (.mkv)", "Lossless"),
)
FACTOR = {"name": "Factor", "default": 2, "min": 1, "soft_max": 16, "max": 1000, "description": "How many times slower"}
LONGER = {"name": "Longer", "default": True, "description": "The strip grows to show all that it shows; else it is cut"}
EVERY = 0.2
"""Seconds between two looks at the program."""


class Preferences(bpy.types.AddonPreferences):
    bl_idname = __package__

    program: StringProperty(
        name="Program", subtype="FILE_PATH", description="Path of the program vfi; if it is empty, PATH is searched"
    )
    folder: StringProperty(
        name="Folder", subtype="DIR_PATH", default="//inbetween", description="Where new clips go; // is beside the .blend file"
    )
    quality: EnumProperty(name="Quality", items=QUALITIES, default="normal")
    codec: EnumProperty(name="Codec", items=CODECS, default="prores")
    handles: IntProperty(
        name="Handles", default=12, min=0, max=1000, description="Frames made before and after the strip, for later trimming"
    )

    def draw(self, context: Any) -> None:
        for name in ("program", "folder", "quality", "codec", "handles"):
            self.layout.prop(self, name)


def preferences() -> Any:
    """The preferences of this extension."""
    return bpy.context.preferences.addons[__package__].preferences


def options() -> Options:
    """What the preferences say. Raises `RefusedError`."""
    chosen = preferences()
    if chosen.folder.startswith("//") and not bpy.data.filepath:
        raise RefusedError("Save the .blend file first: new clips go into a folder beside it")
    if not chosen.folder:
        raise RefusedError("No folder for new clips is set in the preferences of the Inbetween extension")
    found = program(bpy.path.abspath(chosen.program))
    return Options(found, Path(bpy.path.abspath(chosen.folder)), chosen.quality, chosen.codec)


class Making:
    """What the three operators share: strips are read, clips are made one after the other, and then all strips changed."""

    bl_options: ClassVar[set[str]] = {"UNDO"}  # without REGISTER: a change of the last values would make the clip at once

    @classmethod
    def poll(cls, context: Any) -> bool:
        return strips.scene_of(context).sequence_editor is not None

    def wanted(self, strip: Strip) -> Strip:
        """What the strip is to show."""
        raise NotImplementedError

    def begin(self, context: Any) -> bool:
        """Find out what there is to make; whether there is anything."""
        self.scene = strips.scene_of(context)
        self.work: list[tuple[str, Job, Run]] = []
        chosen, setting = strips.chosen(context), options()
        idle = []
        for strip in chosen:
            media = strips.media_of(strip)
            shown = strips.read(self.scene, strip)
            asked = self.wanted(shown)
            if asked == shown and not places.frames_needed(shown):
                idle.append(strip.name)
                continue
            strips.make_room(self.scene, strip, asked.length)
            job = places.job_of(asked, preferences().handles)
            self.work.append((strip.name, job, Run(media, job, setting)))
        if idle:
            self.report({"INFO"}, f"{', '.join(idle)}: no frame is missing, nothing to do")
        self.at = 0
        return bool(self.work)

    def change(self) -> set[str]:
        """Let the strips show their new clips. What has changed can be undone, whatever comes after."""
        try:
            for name, job, run in self.work:
                strip = strips.every_strip(self.scene.sequence_editor).get(name)
                if strip is None:
                    raise RefusedError(f"{name} is gone: its clip is {run.path}")
                strips.give(self.scene, strip, job, run.path)
        except RefusedError as error:
            self.report({"ERROR"}, str(error))
            return {"FINISHED"}
        made = sum(places.frames_needed(job.strip) for _, job, _ in self.work)
        self.report({"INFO"}, f"{made} new frames in {', '.join(name for name, _, _ in self.work)}")
        return {"FINISHED"}

    def execute(self, context: Any) -> set[str]:
        run = None
        try:
            if not self.begin(context):
                return {"CANCELLED"}
            for _, _, run in self.work:
                run.start()
                run.wait()
            return self.change()
        except RefusedError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        finally:
            if run is not None:
                run.stop()

    def invoke(self, context: Any, event: Any) -> set[str]:
        if bpy.app.background:
            return self.execute(context)
        try:
            if not self.begin(context):
                return {"CANCELLED"}
            self.work[0][2].start()
        except RefusedError as error:
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}
        manager = context.window_manager
        self.timer = manager.event_timer_add(EVERY, window=context.window)
        manager.progress_begin(0, 100)
        manager.modal_handler_add(self)
        return {"RUNNING_MODAL"}

    def modal(self, context: Any, event: Any) -> set[str]:
        """Every other event is kept from Blender, so that no strip changes in between."""
        run = self.work[self.at][2]
        if event.type == "ESC":
            run.stop()
            self.end(context)
            self.report({"INFO"}, "Stopped: no strip has changed")
            return {"CANCELLED"}
        if event.type != "TIMER":
            return {"RUNNING_MODAL"}
        try:
            done = (100 * self.at + run.percent) // len(self.work)
            context.window_manager.progress_update(done)
            context.workspace.status_text_set(f"Inbetween: {self.work[self.at][0]}, {done} % (Esc stops)")
            if not run.poll():
                return {"RUNNING_MODAL"}
            self.at += 1
            if self.at < len(self.work):
                self.work[self.at][2].start()
                return {"RUNNING_MODAL"}
            self.end(context)
            return self.change()
        except RefusedError as error:
            run.stop()
            self.end(context)
            self.report({"ERROR"}, str(error))
            return {"CANCELLED"}

    def cancel(self, context: Any) -> None:
        """Blender closes, or opens another file."""
        self.work[self.at][2].stop()

    def end(self, context: Any) -> None:
        """Take timer and progress away."""
        if self.timer is not None:
            context.window_manager.event_timer_remove(self.timer)
            context.window_manager.progress_end()
            context.workspace.status_text_set(None)
            self.timer = None


class Smooth(Making, bpy.types.Operator):
    """Make the frames that the strip lacks at its speed; its place and length stay"""

    bl_idname = "inbetween.smooth"
    bl_label = "Smooth"

    def wanted(self, strip: Strip) -> Strip:
        return strip


class Slow(Making, bpy.types.Operator):
    """Play the strip slower, with new frames in between"""

    bl_idname = "inbetween.slow"
    bl_label = "Slow Down"

    factor: FloatProperty(**FACTOR)
    longer: BoolProperty(**LONGER)

    def wanted(self, strip: Strip) -> Strip:
        return places.slowed(strip, Fraction(self.factor).limit_denominator(1000), longer=self.longer)


class MatchRate(Making, bpy.types.Operator):
    """Play the strip as fast as it was filmed, with one frame for each of the scene"""

    bl_idname = "inbetween.match_rate"
    bl_label = "Match Frame Rate"

    def wanted(self, strip: Strip) -> Strip:
        return places.in_real_time(strip)


class SidebarPanel(bpy.types.Panel):
    bl_idname = "INBETWEEN_PT_sidebar"
    bl_label = "Inbetween"
    bl_space_type = "SEQUENCE_EDITOR"
    bl_region_type = "UI"
    bl_category = "Inbetween"

    def draw(self, context: Any) -> None:
        layout, chosen, window = self.layout, preferences(), context.window_manager
        layout.operator(Smooth.bl_idname)
        row = layout.row(align=True)
        row.prop(window, "inbetween_factor")
        row.prop(window, "inbetween_longer", toggle=True)
        slow = layout.operator(Slow.bl_idname)
        slow.factor, slow.longer = window.inbetween_factor, window.inbetween_longer
        layout.operator(MatchRate.bl_idname)
        layout.prop(chosen, "quality")
        layout.prop(chosen, "codec")


CLASSES = (Preferences, Smooth, Slow, MatchRate, SidebarPanel)
assert {name for name, *_ in CODECS} == set(ENDINGS)


def register() -> None:
    for one in CLASSES:
        bpy.utils.register_class(one)
    bpy.types.WindowManager.inbetween_factor = FloatProperty(**FACTOR)
    bpy.types.WindowManager.inbetween_longer = BoolProperty(**LONGER)


def unregister() -> None:
    del bpy.types.WindowManager.inbetween_factor
    del bpy.types.WindowManager.inbetween_longer
    for one in reversed(CLASSES):
        bpy.utils.unregister_class(one)
