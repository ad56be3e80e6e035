"""The pictures under the tracks, in ComfyUI's real front end: where they come from, and what is said of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.browser.test_track_editor import EDITOR, FRONT_ENDS, Editor, everywhere, near, within

BUILD = """async parts => {
  const links = parts.links, made = {};
  app.nodeOutputs = {};
  for (const [index, [name, type, values]] of parts.nodes.entries()) {
    const node = made[name] = LiteGraph.createNode(type);
    app.graph.add(node);
    node.pos = [-700 + 230 * index, 700];
    for (const [key, value] of Object.entries(values)) node.widgets.find(widget => widget.name === key).value = value;
  }
  made.editor = EDITOR;
  for (const [from, output, to, name] of links)
    made[from].connect(output, made[to], made[to].inputs.findIndex(input => input.name === name));
}""".replace("EDITOR", EDITOR)


class Shown(Editor):
    """The editor, and what it shows for each frame."""

    def __init__(self, page: Any, nodes: dict[str, tuple[str, dict[str, Any]]], links: list[tuple[str, int, str, str]]) -> None:
        super().__init__(page, connected=False)
        page.evaluate(BUILD, {"nodes": [[name, *node] for name, node in nodes.items()], "links": links})

    def wait_for_text(self, name: str, text: str) -> None:
        """Until the line below the picture says so; then the picture is loaded."""
        part = f"document.querySelector('[data-testid=source-{name}]')"
        self.page.wait_for_function(f"text => {part}?.textContent === text", arg=text)
        self.settle()

    def said(self, name: str) -> str:
        return self.part(f"source-{name}").text_content()

    def address(self, name: str) -> str:
        return self.part(name).get_attribute("href") or ""

    def colour(self, name: str) -> list[int]:
        """The red, green and blue in the middle of a picture."""
        return self.page.evaluate(
            """async address => {
              const picture = await createImageBitmap(await (await fetch(address)).blob());
              const canvas = new OffscreenCanvas(picture.width, picture.height), context = canvas.getContext('2d');
              context.drawImage(picture, 0, 0);
              return [...context.getImageData(picture.width >> 1, picture.height >> 1, 1, 1).data.slice(0, 3)];
            }""",
            self.address(name),
        )

    def size(self) -> list[int]:
        return [int(self.part("first").get_attribute(side)) for side in ("width", "height")]


QUEUED = """import('/scripts/api.js').then(({ api }) => {
  api.dispatchEvent(new CustomEvent('promptQueued', { detail: { number: 0, batchCount: 1 } }));
})"""
ENDED = """import('/scripts/api.js').then(({ api }) => {
  api.dispatchEvent(new CustomEvent('execution_success', { detail: { prompt_id: 'a', timestamp: 0 } }));
})"""
LOAD = ("LoadImage", {"image": "first.png"})
SCALE = ("ImageScale", {"width": 640})


@everywhere
@pytest.mark.slow
def test_the_picture_comes_from_the_nearest_node_above_that_has_one_and_the_line_says_so(page: Any):
    links = [("load", 0, "scale", "image"), ("scale", 0, "again", "image"), ("again", 0, "editor", "first")]
    editor = Shown(page, {"load": LOAD, "scale": SCALE, "again": SCALE}, links)
    editor.wait_for_text("first", "first.png, before Upscale Image and 1 more")
    assert editor.said("last") == "not connected"
    assert "filename=first.png" in editor.address("first")
    page.evaluate("app.graph._nodes.filter(node => node.type === 'ImageScale')[1].mode = 4")
    editor.wait_for_text("first", "first.png, before Upscale Image")
    page.evaluate("app.graph._nodes.find(node => node.type === 'ImageScale').mode = 4")
    editor.wait_for_text("first", "first.png")
    assert editor.size() == [320, 200]


@everywhere
@pytest.mark.slow
def test_the_browser_draws_the_first_and_the_last_frame_of_a_video(page: Any):
    links = [("video", 0, "parts", "video"), ("parts", 0, "editor", "first"), ("parts", 0, "editor", "last")]
    editor = Shown(page, {"video": ("LoadVideo", {"file": "clip.mp4"}), "parts": ("GetVideoComponents", {})}, links)
    editor.wait_for_text("first", "clip.mp4, first frame")
    editor.wait_for_text("last", "clip.mp4, last frame")
    dark, bright = editor.colour("first"), editor.colour("last")
    assert max(dark) < 40
    assert min(bright) > 220
    assert editor.size() == [320, 200]


@within(FRONT_ENDS[:2])
@pytest.mark.slow
def test_a_video_that_the_browser_cannot_show_is_named(page: Any, pictures: dict[str, bytes]):
    pictures["broken.mp4"] = b"no video"
    links = [("video", 0, "parts", "video"), ("parts", 0, "editor", "first")]
    editor = Shown(page, {"video": ("LoadVideo", {"file": "broken.mp4"}), "parts": ("GetVideoComponents", {})}, links)
    editor.wait_for_text("first", "broken.mp4, first frame: the browser cannot show this video")
    assert editor.address("first") == ""
    del pictures["broken.mp4"]


@everywhere
@pytest.mark.slow
def test_the_picture_comes_out_of_a_subgraph_and_into_one(page: Any):
    links = [("load", 0, "scale", "image"), ("scale", 0, "editor", "first"), ("load", 0, "editor", "last")]
    editor = Shown(page, {"load": LOAD, "scale": SCALE}, links)
    editor.wait_for_text("first", "first.png, before Upscale Image")
    scale = "app.graph._nodes.find(node => node.type === 'ImageScale')"
    page.evaluate(f"() => {{ app.graph.convertToSubgraph(new Set([{scale}])); }}")
    page.let_pass(900)
    assert editor.said("first") == "first.png, before Upscale Image"
    page.evaluate(f"() => {{ app.graph.convertToSubgraph(new Set([{EDITOR}])); }}")
    holder = "app.graph._nodes.find(node => node.subgraph?._nodes.some(one => one.type === 'InbetweenTrackEditor'))"
    page.evaluate(f"() => {{ const holder = {holder}; app.canvas.openSubgraph(holder.subgraph, holder); }}")
    try:
        editor.wait_for_text("first", "first.png, before Upscale Image")
        editor.wait_for_text("last", "first.png")
    finally:
        page.evaluate("app.canvas.setGraph(app.rootGraph ?? app.graph)")
        page.evaluate(f"() => {{ const within = {holder}.subgraph; [...within._nodes].forEach(node => within.remove(node)); }}")


@everywhere
@pytest.mark.slow
def test_the_last_runs_picture_is_named_and_marked_once_the_graph_has_changed(page: Any):
    editor = Shown(page, {"made": ("EmptyImage", {"width": 64})}, [("made", 0, "editor", "first")])
    editor.wait_for_text("first", "seen after a run")
    told = {"matches": [], "size": [320, 200], "frames": [25], "first": [{"filename": "run.png", "type": "temp"}], "last": []}
    page.evaluate(f"told => {EDITOR}.onExecuted(told)", told)
    editor.wait_for_text("first", "last run")
    assert "run.png" in editor.address("first")
    width = "app.graph._nodes.find(node => node.type === 'EmptyImage').widgets[0].value"
    page.evaluate(f"{width} = 128")
    editor.wait_for_text("first", "last run, before the graph changed")
    assert "stale" in editor.part("source-first").get_attribute("class")
    page.evaluate(f"{width} = 64")
    editor.wait_for_text("first", "last run")


@everywhere
@pytest.mark.slow
def test_a_change_while_a_run_is_under_way_marks_its_picture(page: Any):
    editor = Shown(page, {"made": ("EmptyImage", {"width": 64})}, [("made", 0, "editor", "first")])
    editor.wait_for_text("first", "seen after a run")
    page.evaluate(QUEUED)
    page.evaluate("app.graph._nodes.find(node => node.type === 'EmptyImage').widgets[0].value = 128")
    told = {"matches": [], "size": [320, 200], "frames": [25], "first": [{"filename": "run.png", "type": "temp"}], "last": []}
    page.evaluate(f"told => {EDITOR}.onExecuted(told)", told)
    editor.wait_for_text("first", "last run, before the graph changed")


@within(FRONT_ENDS[:2])
@pytest.mark.slow
def test_a_run_shows_what_a_chain_makes_until_the_graph_changes(page: Any):
    editor = Shown(page, {"load": LOAD, "scale": SCALE}, [("load", 0, "scale", "image"), ("scale", 0, "editor", "first")])
    editor.wait_for_text("first", "first.png, before Upscale Image")
    told = {"matches": [], "size": [320, 200], "frames": [25], "first": [{"filename": "run.png", "type": "temp"}], "last": []}
    page.evaluate(f"told => {EDITOR}.onExecuted(told)", told)
    editor.wait_for_text("first", "last run")
    page.evaluate("app.graph._nodes.find(node => node.type === 'LoadImage').widgets[0].value = 'last.png'")
    editor.wait_for_text("first", "last.png, before Upscale Image")


@everywhere
@pytest.mark.slow
def test_a_chosen_picture_is_shown_kept_and_removed(page: Any, pictures: dict[str, bytes]):
    editor = Shown(page, {}, [])
    editor.wait_for_text("first", "not connected")
    taken = {"name": "square.png", "mimeType": "image/png", "buffer": pictures["first.png"]}
    editor.part("file-first").set_input_files(taken)
    editor.wait_for_text("first", "square (1).png: chosen here, cropped to width and height")
    assert pictures["square.png"] != pictures["square (1).png"] == pictures["first.png"]
    assert editor.size() == [832, 480]
    graph = page.evaluate("app.graph.serialize()")
    page.evaluate("async graph => { app.graph.clear(); await app.loadGraphData(graph); }", json.loads(json.dumps(graph)))
    editor.wait_for_text("first", "square (1).png: chosen here, cropped to width and height")
    editor.part("clear-first").click()
    editor.wait_for_text("first", "not connected")
    assert "inbetween_pictures" not in page.evaluate(f"{EDITOR}.properties")
    del pictures["square (1).png"]


@within(FRONT_ENDS[:2])
@pytest.mark.slow
def test_a_file_overwritten_under_its_name_is_shown_anew(page: Any, pictures: dict[str, bytes]):
    editor = Shown(page, {"load": LOAD}, [("load", 0, "editor", "first")])
    editor.wait_for_text("first", "first.png")
    page.wait_for_load_state("networkidle")
    before, address = pictures["first.png"], editor.address("first")
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    page.let_pass(600)
    assert editor.address("first") == address
    pictures["first.png"] = pictures["square.png"]
    page.evaluate("window.dispatchEvent(new Event('focus'))")
    page.wait_for_function("document.querySelector('[data-testid=first]').getAttribute('width') === '64'")
    assert editor.colour("first") == [200, 200, 200]
    pictures["first.png"] = before
    page.evaluate(ENDED)
    page.wait_for_function("document.querySelector('[data-testid=first]').getAttribute('width') === '320'")


PASTE = """async address => {
  const data = new DataTransfer();
  const blob = await (await fetch(address)).blob();
  data.items.add(new File([blob], 'pasted.png', { type: 'image/png' }));
  document.activeElement.dispatchEvent(new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true }));
}"""


@everywhere
@pytest.mark.slow
def test_a_pasted_picture_stands_in_for_an_unknown_one(page: Any, pictures: dict[str, bytes]):
    editor = Shown(page, {"made": ("EmptyImage", {})}, [("made", 0, "editor", "first")])
    editor.wait_for_text("first", "seen after a run")
    editor.part("stage").click(position={"x": 5, "y": 5})
    nodes = page.evaluate("app.graph._nodes.length")
    page.evaluate(PASTE, "/api/view?filename=square.png")
    editor.wait_for_text("first", "pasted.png: chosen here, not the connected picture")
    page.wait_for_function("document.querySelector('[data-testid=first]').getAttribute('width') === '64'")
    assert page.evaluate("app.graph._nodes.length") == nodes
    editor.take("anchor")
    box = editor.part("first").bounding_box()
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    editor.settle()
    assert near(editor.tracks[0]["pts"], (31.5, 31.5), within=0.75)
    del pictures["pasted.png"]


@within(FRONT_ENDS[:2])
@pytest.mark.slow
def test_a_file_that_no_browser_shows_is_refused(page: Any):
    editor = Shown(page, {}, [])
    editor.part("file-last").set_input_files({"name": "notes.txt", "mimeType": "text/plain", "buffer": b"a"})
    page.get_by_text("notes.txt is not an image or a video that a browser shows.").wait_for()
    assert editor.said("last") == "not connected"
