"""Subgraph blueprints in ComfyUI's own front ends: found by their words, dropped by hand, connected and run. And the app."""

from __future__ import annotations

import mimetypes
from collections.abc import Iterator
from math import ceil
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import av
import pytest
from forms import APP, all_saved

from tests.browser.conftest import bundle

pytestmark = pytest.mark.comfyui

FOUND = {
    "Smooth a video": ("smooth", "fps", "60 fps", "vfi"),
    "Slow motion": ("slow motion", "slowmo"),
    "Perfect loop": ("perfect loop", "boomerang", "seamless"),
    "Join video clips": ("join clips", "join video", "continue video"),
    "Tween two pictures": ("tween", "morph", "animate two"),
}
"""The blueprints, and words that find each among the first few."""

FRONT_ENDS = [("1.45.19", False), ("1.45.19", True), ("1.58.1", False), ("1.58.1", True)]
SERVED = ("/api", "/ws", "/extensions", "/view", "/prompt")
"""Paths that the server answers; all others are files of the front end."""

STORES = "document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia._s"
SETTINGS = {"Comfy.TutorialCompleted": True, "Comfy.UseNewMenu": "Top", "Comfy.Minimap.Visible": False}
SEARCH = f"words => {STORES}.get('nodeDef').nodeSearchService.searchNode(words).map(node => node.display_name)"

TOLD = f"""title => {{
  const found = {STORES}.get('nodeDef').nodeSearchService.searchNode(title);
  const node = found.find(node => node.display_name === title);
  return [node.category, node.description];
}}"""

WIDGETS = """app.graph._nodes.map(node => [
  node.title, Object.fromEntries(node.widgets.map(widget => [widget.name, widget.value]))
])"""

CONNECT = """prefix => {
  const dropped = Object.fromEntries(app.graph._nodes.map(node => [node.title, node]));
  const add = (type, values) => {
    const node = LiteGraph.createNode(type);
    app.graph.add(node);
    for (const [name, value] of Object.entries(values)) node.widgets.find(widget => widget.name === name).value = value;
    return node;
  };
  const connect = (from, to, name) => from.connect(0, to, to.inputs.findIndex(input => input.name === name));
  const set = (node, values) => {
    for (const [name, value] of Object.entries({quality: 'linear', ...values})) {
      const widget = node.widgets.find(widget => widget.name === name);
      widget.value = value;
      widget.callback?.(value);
    }
  };
  const fox = add('LoadVideo', {file: 'fox-16fps.mp4'});
  const part = (start, duration) => {
    const slice = add('Video Slice', {start_time: start, duration});
    connect(fox, slice, 'video');
    return slice;
  };
  const wired = {
    'Smooth a video': [{video: fox}, {'frame rate': 32}],
    'Slow motion': [{video: fox}, {'times slower': 2}],
    'Perfect loop': [{video: add('LoadVideo', {file: 'room-16fps.mp4'})}, {times: 2}],
    'Join video clips': [
      {'first clip': part(0, 0.875), 'second clip': part(0.687, 0.813), 'third clip': part(1.312, 0)},
      {'match colours': false},
    ],
    'Tween two pictures': [
      {'first picture': add('LoadImage', {image: 'ball-first.png'}),
       'second picture': add('LoadImage', {image: 'ball-last.png'})},
      {steps: 8, 'frame rate': 12},
    ],
  };
  for (const [title, [sources, values]] of Object.entries(wired)) {
    const node = dropped[title];
    for (const [name, source] of Object.entries(sources)) connect(source, node, name);
    set(node, values);
    connect(node, add('SaveVideo', {filename_prefix: `${prefix}/${title}`}), 'video');
  }
}"""


@pytest.fixture(scope="module", params=FRONT_ENDS, ids=lambda param: f"{param[0]}-{'vue' if param[1] else 'classic'}")
def page(request: pytest.FixtureRequest, comfyui: Any, chromium: Any) -> Iterator[Any]:
    """The page of a front end, its files from the package index and all else from the server."""
    version, vue = request.param
    files = bundle(version)

    def answer(route: Any) -> None:
        path = urlsplit(route.request.url).path
        file = files / (path.lstrip("/") or "index.html")
        if file.is_file():
            route.fulfill(body=file.read_bytes(), content_type=mimetypes.guess_type(file)[0] or "text/plain")
        else:
            route.continue_()

    comfyui.post("/settings", **SETTINGS, **{"Comfy.VueNodes.Enabled": vue})
    context = chromium.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(180_000)
    context.route(lambda url: not urlsplit(url).path.startswith(SERVED), answer)
    page = context.new_page()
    page.goto(f"http://127.0.0.1:{comfyui.port}/", wait_until="commit")
    page.wait_for_function(f"!!window.app?.graph && !!{STORES}.get('nodeDef')")
    page.wait_for_function(f"({SEARCH})('slowmo').includes('Slow motion')")
    page.keyboard.press("Escape")
    yield page
    context.close()


def drop(page: Any, title: str, x: int, y: int) -> None:
    """Add a blueprint as a person does: search it by its name, and put it where the pointer is."""
    count = page.evaluate("app.graph._nodes.length")
    search = page.get_by_placeholder("Add a node")
    for _ in range(20):  # a canvas that is just being drawn misses a click
        page.mouse.dblclick(x, y)
        page.wait_for_timeout(1000)
        if search.is_visible():
            break
    search.fill(title)
    page.get_by_test_id("result-item").filter(has=page.get_by_text(title, exact=True)).first.click()
    page.get_by_test_id("result-item").first.wait_for(state="detached")
    page.mouse.move(x + 1, y)
    page.mouse.click(x, y)
    page.wait_for_function(f"app.graph._nodes.length === {count + 1}")
    page.keyboard.press("Escape")


def frames(path: Path) -> tuple[int, float]:
    """How many frames a video has, and their rate."""
    with av.open(path) as container:
        return sum(1 for _ in container.decode(video=0)), float(container.streams.video[0].average_rate)


def test_each_is_found_by_its_words(page):
    for title, words in FOUND.items():
        for searched in (title, *words):
            found = page.evaluate(SEARCH, searched)
            assert title in found[:4], f"{searched}: {found[:8]}"


def test_each_says_what_it_does(page):
    for title in FOUND:
        category, description = page.evaluate(TOLD, title)
        assert category == "Subgraph Blueprints/Inbetween"
        assert description.endswith(".")


def test_dropped_and_connected_they_run(page, comfyui, session, request):
    page.evaluate("app.graph.clear()")
    for place, title in enumerate(FOUND):
        drop(page, title, 220 + 460 * (place % 3), 160 + 360 * (place // 3))
    shown = {title: widgets for title, widgets in page.evaluate(WIDGETS)}
    assert shown == {
        "Smooth a video": {"frame rate": 60, "cuts": "hold", "quality": "normal"},
        "Slow motion": {"times slower": 2, "cuts": "hold", "quality": "normal"},
        "Perfect loop": {"times": 2, "shortest loop": 0, "gap": 0, "quality": "normal"},
        "Join video clips": {"match colours": True, "quality": "normal"},
        "Tween two pictures": {"steps": 24, "frame rate": 24, "quality": "normal"},
    }
    page.evaluate(CONNECT, request.node.callspec.id)
    prompt = page.evaluate("async () => (await app.graphToPrompt()).output")
    outputs, _ = session.run(prompt)
    made = {name.rsplit("/")[-1]: frames(path) for name, path in all_saved(comfyui, outputs).items()}
    assert made.pop("Perfect loop")[1] == 32
    assert made == {
        "Smooth a video": (66, 32),
        "Slow motion": (66, 16),
        "Join video clips": (33, 16),
        "Tween two pictures": (9, 12),
    }
    assert session.complaints() == []


OPEN = """async ([name, rate]) => {
  const graph = await (await fetch(`/api/workflow_templates/inbetween/${encodeURIComponent(name)}.json`)).json();
  await app.loadGraphData(graph, true, true, name, {openSource: 'template'});
  const set = (title, widget, value) =>
    app.graph._nodes.find(node => node.title === title).widgets.find(one => one.name === widget).value = value;
  set('Load Interpolation Model', 'quality', 'linear');
  set('Frame rate', 'value', rate);
}"""


def test_the_app_opens_as_one_and_shows_its_result(page, comfyui, request):
    rate = 20 + FRONT_ENDS.index(request.node.callspec.params["page"])  # another, or ComfyUI shows the result that it has
    page.evaluate(OPEN, [APP, rate])
    panel = page.get_by_text("Number of runs")
    panel.wait_for()
    if page.get_by_text("Skip", exact=True).count():  # the newest front end offers a tour
        page.get_by_text("Skip", exact=True).first.click()
    for label in ("clip", "frame rate"):
        assert page.get_by_text(label, exact=True).filter(visible=True).count() == 1, label
    before = set((comfyui.base / "output" / "video").glob("smooth_*"))
    page.get_by_text("Run", exact=True).filter(visible=True).last.click()
    page.locator("video[src*='smooth_']").filter(visible=True).first.wait_for()  # not the node's, behind it
    (made,) = set((comfyui.base / "output" / "video").glob("smooth_*")) - before
    assert frames(made)[0] == ceil(rate * 33 / 16)
