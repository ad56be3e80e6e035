"""The track editor in ComfyUI's real front end: what a hand does becomes TRACKS, and stays so."""

from __future__ import annotations

import json
import math
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from vfi.tracks import Document

CLASSIC, VUE = False, True
FRONT_ENDS = [("1.58.1", CLASSIC), ("1.58.1", VUE), ("1.45.19", CLASSIC), ("1.45.19", VUE)]
"""The newest front end, and that of the oldest ComfyUI that the pack supports."""

DAILY = [("1.58.1", VUE), ("1.45.19", CLASSIC)]


def within(front_ends: list[tuple[str, bool]]) -> pytest.MarkDecorator:
    """Run a test in each of these: each version and each renderer in every run, all their pairs in the exhaustive one."""

    def one(version: str, vue: bool) -> Any:
        marks = () if (version, vue) in DAILY else pytest.mark.exhaustive
        return pytest.param((version, vue), id=f"{version}-{'vue' if vue else 'classic'}", marks=marks)

    return pytest.mark.parametrize("page", [one(*front_end) for front_end in front_ends], indirect=True)


everywhere = within(FRONT_ENDS)
newest = within(DAILY[:1])
WIDTH, HEIGHT = 320, 200
EDITOR = "app.graph._nodes.find(node => node.type === 'InbetweenTrackEditor')"
VALUE = f"{EDITOR}?.widgets.find(widget => widget.name === 'drawing').value"

BUILD = """async connected => {
  app.graph.clear();
  app.graph.id = crypto.randomUUID();
  const add = (type, pos) => {
    const node = LiteGraph.createNode(type);
    app.graph.add(node);
    node.pos = pos;
    return node;
  };
  const editor = add('InbetweenTrackEditor', [330, 40]);
  for (const [index, name] of (connected ? ['first', 'last'] : []).entries()) {
    const image = add('LoadImage', [0, 40 + 360 * index]);
    image.widgets[0].value = name + '.png';
    image.connect(0, editor, editor.inputs.findIndex(input => input.name === name));
  }
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [60, 80];
  app.canvas.setDirty(true, true);
}"""


class Editor:
    """A hand on the editor: it works in pixels of the picture."""

    def __init__(self, page: Any, connected: bool = True) -> None:
        self.page = page
        page.evaluate(BUILD, connected)
        page.get_by_test_id("stage").wait_for()
        if connected:
            page.wait_for_function("document.querySelector('[data-testid=last]')?.getAttribute('width') === '320'")
        self.rest()

    def rest(self) -> None:
        """Wait until the editor lies still where it is."""
        before, now = None, self.part("stage").bounding_box()
        while before != now:
            self.page.let_pass(400)
            before, now = now, self.part("stage").bounding_box()

    def settle(self) -> None:
        """Wait for what is shown at the next frame of the screen, and for the front end's own delays."""
        self.page.let_pass(150)

    def part(self, name: str) -> Any:
        return self.page.get_by_test_id(name)

    def on_screen(self, x: float, y: float) -> tuple[float, float]:
        box = self.part("first").bounding_box()
        return box["x"] + (x + 0.5) / WIDTH * box["width"], box["y"] + (y + 0.5) / HEIGHT * box["height"]

    def take(self, tool: str) -> None:
        self.part(tool).click()

    def drag(self, *places: tuple[float, float], steps: int = 4) -> None:
        mouse = self.page.mouse
        mouse.move(*self.on_screen(*places[0]))
        mouse.down()
        for place in places[1:]:
            mouse.move(*self.on_screen(*place), steps=steps)
        mouse.up()
        self.settle()

    def click(self, x: float, y: float, **options: Any) -> None:
        self.page.mouse.click(*self.on_screen(x, y), **options)
        self.settle()

    def drag_part(self, name: str, dx: float, dy: float = 0) -> None:
        """Drag a part by pixels of the screen."""
        self.settle()
        box = self.part(name).bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        mouse = self.page.mouse
        mouse.move(x, y)
        mouse.down()
        mouse.move(x + dx, y + dy, steps=4)
        mouse.up()
        self.settle()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)
        self.settle()

    def draw(self, start: tuple[float, float], end: tuple[float, float]) -> None:
        """A track from a place to another, with the pen."""
        self.take("pen")
        self.drag(start, end)
        self.press("Escape")

    @property
    def text(self) -> str:
        return self.page.evaluate(VALUE) or ""

    @property
    def tracks(self) -> list[dict[str, Any]]:
        return json.loads(self.text)["tracks"] if self.text else []

    def wait_for(self, count: int) -> None:
        """Until the document has so many tracks."""
        self.page.wait_for_function(f"(JSON.parse({VALUE} || '{{\"tracks\":[]}}').tracks.length) === {count}")
        self.settle()


@pytest.fixture
def editor(page: Any) -> Editor:
    """The editor with two pictures."""
    return Editor(page)


def near(points: list[list[float]], *wanted: tuple[float, float], within: float = 0.75) -> bool:
    return len(points) == len(wanted) and all(
        math.dist(point[:2], place) <= within for point, place in zip(points, wanted, strict=True)
    )


@everywhere
@pytest.mark.slow
def test_draws_edits_undoes_reloads_and_reads_back_the_same_tracks(editor: Editor):
    page = editor.page
    opacity = page.evaluate("getComputedStyle(document.querySelector('[data-testid=last]')).opacity")
    assert float(opacity) == 0.5
    where = page.evaluate(f"[...{EDITOR}.pos]")

    editor.draw((80, 100), (240, 100))
    editor.take("anchor")
    editor.click(20, 20)
    assert near(editor.tracks[0]["pts"], (80, 100), (240, 100))
    assert near(editor.tracks[1]["pts"], (20, 20))
    drawn = editor.text

    editor.take("select")
    editor.drag((240, 100), (240, 140))
    assert near(editor.tracks[0]["pts"], (80, 100), (240, 140))
    edited = editor.text

    editor.press("Control+z")
    page.wait_for_function(f"{VALUE} === {json.dumps(drawn)}")
    editor.press("Control+z")
    editor.wait_for(1)
    editor.part("point-2-0").wait_for(state="detached")
    editor.part("point-1-1").wait_for()
    editor.press("Control+y")
    editor.wait_for(2)
    editor.part("point-2-0").wait_for()
    editor.press("Control+y")
    page.wait_for_function(f"{VALUE} === {json.dumps(edited)}")

    graph = page.evaluate("app.graph.serialize()")
    prompt = page.evaluate("app.graphToPrompt().then(made => made.output)")
    given = next(node["inputs"] for node in prompt.values() if node["class_type"] == "InbetweenTrackEditor")
    assert given["drawing"] == edited
    page.evaluate("async graph => { app.graph.clear(); await app.loadGraphData(graph); }", json.loads(json.dumps(graph)))
    editor.part("point-1-1").wait_for()
    assert editor.text == edited
    assert page.evaluate(f"[...{EDITOR}.pos]") == where
    path = Document.from_json(given["drawing"]).sampled(5).path
    assert near(path[:, 0].tolist(), *[(80 + 40 * step, 100 + 10 * step) for step in range(5)], within=1)
    assert near(path[:, 1].tolist(), *[(20, 20)] * 5)
    assert [error for error in page.errors if "inbetween" in error.lower()] == []


@everywhere
@pytest.mark.slow
def test_a_clone_and_a_copy_in_another_graph_have_the_same_tracks(editor: Editor):
    page = editor.page
    editor.draw((80, 100), (240, 100))
    values = "app.graph._nodes.filter(node => node.type === 'InbetweenTrackEditor').map(node => node.widgets.at(-1).value)"
    page.evaluate(f"() => {{ const copy = {EDITOR}.clone(); app.graph.add(copy); copy.pos = [400, 900]; }}")
    assert page.evaluate(values) == [editor.text] * 2
    text = editor.text
    page.evaluate(f"() => {{ app.canvas.selectItems([{EDITOR}]); app.canvas.copyToClipboard(); app.graph.clear(); }}")
    page.evaluate("app.canvas.pasteFromClipboard()")
    editor.settle()
    assert page.evaluate(values) == [text]


@everywhere
@pytest.mark.slow
def test_the_editor_grows_with_its_node_and_places_stay_exact(editor: Editor):
    before = editor.part("stage").bounding_box()
    editor.page.evaluate(f"{EDITOR}.setSize([900, 820]); app.canvas.setDirty(true, true)")
    editor.rest()
    after = editor.part("stage").bounding_box()
    assert after["width"] > before["width"] + 80
    assert after["height"] > before["height"] + 50
    editor.page.evaluate("app.canvas.ds.scale = 0.8; app.canvas.setDirty(true, true)")
    editor.rest()
    editor.draw((80, 100), (240, 60))
    assert near(editor.tracks[0]["pts"], (80, 100), (240, 60))


@everywhere
@pytest.mark.slow
def test_fingers_draw_and_two_of_them_zoom(editor: Editor):
    page = editor.page
    touch = page.context.new_cdp_session(page)

    def fingers(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": x, "y": y, "id": index} for index, (x, y) in enumerate(places)]
        touch.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    editor.take("pen")
    start, end = editor.on_screen(80, 100), editor.on_screen(240, 100)
    fingers("touchStart", start)
    fingers("touchMove", ((start[0] + end[0]) / 2, start[1]))
    fingers("touchMove", end)
    fingers("touchEnd")
    editor.settle()
    assert near(editor.tracks[0]["pts"], (80, 100), (240, 100))
    page.keyboard.press("Control+z")
    editor.wait_for(0)

    wide = editor.part("first").bounding_box()["width"]
    middle = editor.on_screen(160, 100)
    spread = [[(middle[0] - apart, middle[1]), (middle[0] + apart, middle[1])] for apart in (30, 45, 60)]
    fingers("touchStart", spread[0][0])
    fingers("touchStart", *spread[0])
    for places in spread[1:]:
        fingers("touchMove", *places)
    fingers("touchEnd")
    editor.settle()
    assert editor.part("first").bounding_box()["width"] == pytest.approx(2 * wide, rel=0.05)
    assert editor.tracks == []


PANEL = "open => app.ui.settings.setSettingValueAsync('Comfy.RightSidePanel.IsOpen', open)"


@everywhere
@pytest.mark.slow
def test_the_editor_keeps_its_width_when_the_properties_panel_lists_its_node(editor: Editor):
    page, frame = editor.page, editor.page.locator(".inbetween-tracks")
    before = frame.bounding_box()
    page.evaluate(PANEL, True)
    try:
        page.evaluate(f"app.canvas.selectItems([{EDITOR}])")
        page.let_pass(1000)
        assert frame.bounding_box()["width"] == before["width"]
        page.evaluate("app.canvas.deselectAll()")
        page.let_pass(500)
        assert frame.bounding_box()["width"] == before["width"]
    finally:
        page.evaluate(PANEL, False)


@everywhere
@pytest.mark.slow
def test_no_content_changes_the_size_of_the_node(editor: Editor):
    page = editor.page
    page.evaluate(f"{EDITOR}.setSize([740, 620]); app.canvas.setDirty(true, true)")
    editor.rest()
    size, stage = page.evaluate(f"[...{EDITOR}.size]"), editor.part("stage").bounding_box()
    editor.draw((80, 100), (240, 100))
    assert near(editor.tracks[0]["pts"], (80, 100), (240, 100))
    editor.part("curve").wait_for()
    page.keyboard.press("Escape")
    editor.part("curve").wait_for(state="detached")

    mouse = page.mouse
    mouse.move(*editor.on_screen(240, 100))
    mouse.down()
    page.let_pass(300)  # the properties of the track open under the pressed mouse
    editor.part("curve").wait_for()
    assert editor.part("stage").bounding_box() == stage
    mouse.move(*editor.on_screen(200, 150), steps=4)
    mouse.up()
    editor.settle()
    assert near(editor.tracks[0]["pts"], (80, 100), (200, 150))
    page.let_pass(600)  # the second tap of a double-click
    mouse.dblclick(*editor.on_screen(140, 125))
    editor.settle()
    assert near(editor.tracks[0]["pts"], (80, 100), (140, 125), (200, 150))

    document = json.loads(editor.text)
    document["tracks"] = [{**document["tracks"][0], "id": str(index), "name": f"Track {index}"} for index in range(1, 41)]
    page.evaluate(f"text => {{ {VALUE.replace('?.', '.')} = text }}", json.dumps(document))
    editor.part("row-40").wait_for()
    page.let_pass(300)
    assert page.evaluate(f"[...{EDITOR}.size]") == size
    assert editor.part("stage").bounding_box() == stage


@everywhere
@pytest.mark.slow
def test_the_wheel_zooms_the_picture_of_a_focused_editor_and_else_the_graph(editor: Editor):
    page, mouse = editor.page, editor.page.mouse

    def wheel(dy: float = -100) -> tuple[float, float]:
        """By how much the picture and the graph grow."""
        graph, wide = page.evaluate("app.canvas.ds.scale"), editor.part("first").bounding_box()["width"]
        mouse.move(*editor.on_screen(160, 100))
        mouse.wheel(0, dy)
        editor.settle()
        editor.settle()
        grown = page.evaluate("app.canvas.ds.scale") / graph
        return editor.part("first").bounding_box()["width"] / wide / grown, grown

    page.evaluate("document.activeElement?.blur()")
    picture, graph = wheel()
    assert picture == pytest.approx(1, abs=0.01)
    assert graph > 1.05
    page.evaluate("app.canvas.ds.scale = 1; app.canvas.ds.offset = [60, 80]; app.canvas.setDirty(true, true)")
    editor.rest()
    editor.click(20, 20)
    picture, graph = wheel()
    assert picture > 1.2
    assert graph == 1
    page.keyboard.down("Control")
    picture, graph = wheel()
    page.keyboard.up("Control")
    assert picture == pytest.approx(1, abs=0.01)
    assert graph > 1.005


@everywhere
@pytest.mark.slow
def test_the_smallest_node_holds_the_whole_editor_and_a_tall_one_gives_the_picture_its_width(editor: Editor):
    page = editor.page
    page.evaluate(f"{EDITOR}.setSize([400, 100]); app.canvas.setDirty(true, true)")
    editor.rest()
    frame = page.locator(".inbetween-tracks").bounding_box()
    bottom = page.evaluate(
        f"""() => {{
          const node = {EDITOR}, vue = document.querySelector(`[data-node-id="${{node.id}}"]`);
          if (vue) return vue.getBoundingClientRect().bottom;
          const {{ scale, offset }} = app.canvas.ds;
          return (node.pos[1] + node.size[1] + offset[1]) * scale + app.canvas.canvas.getBoundingClientRect().top;
        }}"""
    )
    assert frame["height"] >= 338
    assert frame["y"] + frame["height"] <= bottom
    page.evaluate(f"{EDITOR}.setSize([350, 100]); app.canvas.setDirty(true, true)")
    editor.rest()
    picture, listed = (editor.part(name).bounding_box() for name in ("stage", "panel"))
    assert listed["y"] >= picture["y"] + picture["height"] - 1, "the list is below a picture that is narrow"
    assert listed["height"] >= 33
    assert picture["height"] > 2 * listed["height"]
    page.evaluate(f"{EDITOR}.setSize([390, 860]); app.canvas.setDirty(true, true)")
    editor.rest()
    editor.part("panel").wait_for()
    assert editor.part("stage").bounding_box()["width"] > 340
    assert editor.part("stage").bounding_box()["height"] > 200


@everywhere
@pytest.mark.slow
def test_tracks_are_reversed_and_that_can_be_undone(editor: Editor):
    editor.draw((80, 100), (240, 60))
    drawn = editor.text
    editor.take("select")
    editor.click(80, 100)
    editor.part("reverse").click()
    editor.settle()
    assert near(editor.tracks[0]["pts"], (240, 60), (80, 100))
    there, back = (Document.from_json(text).sampled(5).path for text in (drawn, editor.text))
    assert np.allclose(there.flip(0).numpy(), back.numpy(), atol=1e-3)
    editor.part("stage").focus()
    editor.press("Control+z")
    editor.page.wait_for_function(f"{VALUE} === {json.dumps(drawn)}")
    editor.part("point-1-1").wait_for()
    editor.press("r")
    assert near(editor.tracks[0]["pts"], (240, 60), (80, 100))


READERS = f"""() => {{
  const slots = Object.getPrototypeOf({EDITOR}.inputs[0]), link = Object.getOwnPropertyDescriptor(slots, 'link');
  window.readers = [];
  window.restore = () => Object.defineProperty(slots, 'link', link);
  const get = function () {{
    window.readers.push(new Error().stack);
    return link.get.call(this);
  }};
  Object.defineProperty(slots, 'link', {{ ...link, get }});
}}"""


@within(FRONT_ENDS[:2])  # only here is it deprecated
@pytest.mark.slow
def test_the_editor_does_not_read_the_deprecated_link_of_an_input(editor: Editor):
    editor.page.evaluate(READERS)
    editor.page.let_pass(900)  # at least one look at the links
    editor.page.evaluate(f"{EDITOR}.inputs[0].link; window.restore()")
    readers = editor.page.evaluate("window.readers")
    assert readers
    assert [stack for stack in readers if "/extensions/inbetween/" in stack] == []


@newest
@pytest.mark.slow
def test_a_hand_drawn_stroke_becomes_few_points_near_it(editor: Editor):
    editor.take("freehand")
    stroke = [(40 + 4 * step, 100 + 50 * math.sin(step / 10)) for step in range(60)]
    editor.drag(*stroke, steps=1)
    points = editor.tracks[0]["pts"]
    assert 4 <= len(points) <= 14
    path = Document.from_json(editor.text).sampled(200).path[:, 0].tolist()
    assert max(min(math.dist(place, other) for other in path) for place in stroke) < 3
    steps = [math.dist(a, b) for a, b in pairwise(path)]
    assert max(steps) < 1.5 * sum(steps) / len(steps)


@newest
@pytest.mark.slow
def test_points_are_added_bent_timed_scaled_turned_and_removed(editor: Editor):
    editor.draw((80, 100), (240, 100))
    editor.take("select")
    editor.click(160, 100)
    editor.page.mouse.dblclick(*editor.on_screen(160, 100))
    editor.settle()
    assert near(editor.tracks[0]["pts"], (80, 100), (160, 100), (240, 100))

    editor.drag((160, 100), (160, 60))
    editor.drag_part("handle-out", 0, -30)
    x, y, _, in_x, in_y, out_x, out_y = editor.tracks[0]["pts"][1]
    assert out_y < -5 < 5 < in_y
    assert in_x / out_x == pytest.approx(in_y / out_y, rel=0.02)
    editor.page.mouse.dblclick(*editor.on_screen(x, y))
    editor.settle()
    assert editor.tracks[0]["pts"][1] == [x, y]

    editor.drag_part("time-1", 60)
    assert 0.55 < editor.tracks[0]["pts"][1][2] < 0.75
    editor.part("time-1").dblclick()
    editor.settle()
    assert editor.tracks[0]["pts"][1] == [x, y]
    editor.drag_part("span-0", 60)
    assert 0.05 < editor.tracks[0]["span"][0] < 0.25

    editor.part("stage").focus()
    editor.press("Control+a")
    editor.drag_part("grip-se", 40, 40)
    grown = editor.tracks[0]["pts"]
    assert grown[0][0] == pytest.approx(80, abs=0.01)
    assert grown[2][0] > 250
    before = math.dist(grown[0][:2], grown[2][:2])
    editor.drag_part("grip-turn", 60, 30)
    turned = editor.tracks[0]["pts"]
    assert math.dist(turned[0][:2], turned[2][:2]) == pytest.approx(before, abs=0.1)
    assert turned[2][1] > turned[0][1] + 10

    editor.page.mouse.click(*editor.on_screen(*turned[1][:2]))
    editor.press("Delete")
    assert len(editor.tracks[0]["pts"]) == 2


@within(FRONT_ENDS[:2])
@pytest.mark.slow
def test_a_point_is_placed_by_numbers_and_removed_by_a_right_click(editor: Editor):
    editor.draw((80, 100), (240, 100))
    editor.take("select")
    editor.click(240, 100)
    assert editor.part("point-x").input_value() == "240"
    editor.drag((240, 100), (200, 140))
    shown = [float(editor.part(f"point-{axis}").input_value()) for axis in "xy"]
    assert shown == pytest.approx(editor.tracks[0]["pts"][1][:2], abs=0.05)
    editor.part("point-x").fill("123,5")
    editor.part("point-x").press("Enter")
    editor.settle()
    assert editor.tracks[0]["pts"][1][0] == 123.5
    editor.part("point-y").fill("1e999")
    editor.part("point-y").press("Enter")
    editor.settle()
    assert editor.tracks[0]["pts"][1][1] == pytest.approx(shown[1], abs=0.06)
    assert float(editor.part("point-y").input_value()) == shown[1]
    x, y = editor.tracks[0]["pts"][1][:2]
    editor.click(x, y, button="right")
    assert near(editor.tracks[0]["pts"], (80, 100))
    editor.click(160, 30, button="right")
    assert len(editor.tracks) == 1


@newest
@pytest.mark.slow
def test_a_track_runs_at_even_speed(editor: Editor):
    editor.take("pen")
    for place in ((40, 100), (80, 100), (280, 100)):
        editor.click(*place)
        editor.page.let_pass(400)
    editor.press("Escape")
    editor.part("easing").select_option("inout")
    editor.part("pace").click()
    editor.settle()
    track = editor.tracks[0]
    assert track["ease"] == "linear"
    assert track["pts"][1][2] == pytest.approx(40 / 240, abs=0.01)
    path = Document.from_json(editor.text).sampled(25).path[:, 0, 0]
    assert np.diff(path.tolist()) == pytest.approx([10] * 24, rel=0.35)


@newest
@pytest.mark.slow
def test_coordinates_of_other_packs_are_pasted(editor: Editor):
    still, moving = [{"x": 20, "y": 30}] * 3, [{"x": 40, "y": 50}, {"x": 60, "y": 50}, {"x": 180, "y": 90}]
    editor.part("stage").focus()
    editor.page.evaluate("text => navigator.clipboard.writeText(text)", json.dumps([still, moving]))
    editor.part("paste").click()
    editor.wait_for(2)
    assert [track["pts"] for track in editor.tracks] == [[[20, 30]], [[40, 50], [60, 50], [180, 90]]]
    assert editor.tracks[1]["interp"] == "linear"
    editor.page.evaluate("text => navigator.clipboard.writeText(text)", json.dumps(moving))
    editor.part("paste").click()
    editor.wait_for(3)
    editor.page.evaluate("navigator.clipboard.writeText('[[1, 2]]')")
    editor.part("paste").click()
    editor.page.get_by_text("The pasted text is not a track").wait_for()


@newest
@pytest.mark.slow
def test_keys_and_the_clipboard(editor: Editor):
    editor.draw((80, 100), (240, 100))
    editor.press("v", "ArrowRight", "Shift+ArrowDown")
    assert near(editor.tracks[0]["pts"], (81, 110), (241, 110)) or near(editor.tracks[0]["pts"], (81, 110), (240, 100))
    editor.press("Control+a", "d")
    assert len(editor.tracks) == 2
    editor.press("Control+a", "Control+x")
    assert editor.tracks == []
    editor.press("Control+v")
    assert len(editor.tracks) == 2
    editor.press("Control+c", "Control+v")
    assert len(editor.tracks) == 4
    assert len({track["id"] for track in editor.tracks}) == 4
    editor.press("o")
    assert [track["on"] for track in editor.tracks] == [True, True, False, False]
    assert len(editor.page.evaluate("app.graph._nodes.map(node => node.id)")) == 3


@newest
@pytest.mark.slow
def test_names_colours_and_curves_are_chosen_in_the_list(editor: Editor):
    editor.draw((80, 100), (240, 100))
    editor.part("name-1").fill("Hand")
    editor.part("name-1").press("Enter")
    editor.part("curve").select_option("pchip")
    editor.part("easing").select_option("inout")
    editor.drag_part("ease-0", 20)
    track = editor.tracks[0]
    assert (track["name"], track["interp"]) == ("Hand", "pchip")
    assert track["ease"][0] > 0.5
    editor.part("on-1").click()
    editor.settle()
    assert editor.tracks[0]["on"] is False


@newest
@pytest.mark.slow
def test_matched_points_of_a_run_are_snapped_to(editor: Editor):
    told = {"matches": [[100, 60, 200, 90]], "size": [WIDTH, HEIGHT], "frames": [25]}
    editor.page.evaluate(f"told => {EDITOR}.onExecuted(told)", told)
    editor.settle()
    editor.take("pen")
    editor.click(102, 61)
    assert near(editor.tracks[0]["pts"], (100, 60), (200, 90), within=0.01)
    editor.drag((101, 59), (202, 91))
    assert near(editor.tracks[1]["pts"], (100, 60), (200, 90), within=0.01)
    editor.press("Escape", "Control+z")
    editor.wait_for(1)
    editor.page.let_pass(800)
    editor.drag((60, 20), (202, 91))
    assert near(editor.tracks[1]["pts"], (60, 20), (200, 90), within=0.75)


@newest
@pytest.mark.slow
def test_play_moves_a_dot_along(editor: Editor):
    editor.draw((80, 100), (240, 100))
    editor.press(" ")
    editor.page.wait_for_function("Number(document.querySelector('.head')?.getAttribute('cx')) > 200")
    assert editor.part("play").get_attribute("aria-label") == "Pause"
    editor.press(" ")
    assert editor.part("play").get_attribute("aria-label") == "Play"


@newest
@pytest.mark.slow
def test_without_pictures_the_canvas_has_the_size_of_the_widgets(page: Any):
    editor = Editor(page, connected=False)
    editor.page.evaluate(f"{EDITOR}.widgets.find(widget => widget.name === 'width').value = 400")
    editor.page.let_pass(700)
    editor.take("anchor")
    box = editor.part("stage").bounding_box()
    editor.page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    editor.settle()
    document = json.loads(editor.text)
    assert document["size"] == [400, 480]
    assert near(document["tracks"][0]["pts"], (199.5, 239.5), within=1.5)
