"""Spacing charts in ComfyUI's real front end: what a hand does to a tick becomes the chart, and stays so."""

from __future__ import annotations

import json
from fractions import Fraction
from typing import Any

from tests.browser.test_track_editor import CLASSIC, VUE, within
from vfi.timing.charts import of_json

newest = within([("1.58.1", CLASSIC), ("1.58.1", VUE)])
NODE = "app.graph._nodes.find(node => node.type === 'InbetweenSpacingChart')"
VALUE = f"{NODE}.widgets.find(widget => widget.name === 'chart').value"

BUILD = """charts => {
  app.graph.clear();
  app.graph.id = crypto.randomUUID();
  app.nodeOutputs = {};
  const add = (type, pos) => {
    const node = LiteGraph.createNode(type);
    app.graph.add(node);
    node.pos = pos;
    return node;
  };
  const chart = add('InbetweenSpacingChart', [330, 40]);
  const tween = add('InbetweenTweenCharts', [960, 40]);
  chart.connect(0, tween, tween.inputs.findIndex(input => input.name === 'charts'));
  for (const [index, name] of ['first', 'last'].entries()) {
    const image = add('LoadImage', [0, 40 + 360 * index]);
    image.widgets[0].value = name + '.png';
    image.connect(0, chart, chart.inputs.findIndex(input => input.name === name));
  }
  if (charts) chart.widgets.find(widget => widget.name === 'chart').value = charts;
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [60, 80];
  app.canvas.setDirty(true, true);
}"""

RAN = """() => {
  const tween = app.graph._nodes.find(node => node.type === 'InbetweenTweenCharts');
  const file = name => ({filename: name, subfolder: '', type: 'temp'});
  app.nodeOutputs = {[tween.id]: {inbetween_frames: [['first.png', ...Array(7).fill('run.png'), 'last.png'].map(file)]}};
}"""

TWO = '{"charts": {"*": "ones", "arm": {"spacing": [0.2, 0.5, 0.9], "mask": "arm.png"}}}'


def built(page: Any, charts: str = "") -> Any:
    page.errors.clear()
    page.evaluate(BUILD, charts)
    page.get_by_test_id("chart-line-0").wait_for()
    before, now = None, page.get_by_test_id("chart-line-0").bounding_box()
    while before != now:
        page.let_pass(500)
        before, now = now, page.get_by_test_id("chart-line-0").bounding_box()
    return page


def rows(page: Any) -> dict[str, Any]:
    return json.loads(page.evaluate(VALUE))["charts"]


def place(page: Any, row: int, share: float) -> tuple[float, float]:
    """Where a place of a line is on the screen."""
    line = page.get_by_test_id(f"chart-line-{row}")
    box, wide = line.bounding_box(), float(line.get_attribute("width"))
    return box["x"] + (22 + share * (wide - 44)) * box["width"] / wide, box["y"] + box["height"] / 2


def drag(page: Any, start: tuple[float, float], *ways: tuple[float, float]) -> None:
    page.mouse.move(*start)
    page.mouse.down()
    for way in ways:
        page.mouse.move(*way, steps=4)
    page.mouse.up()
    page.let_pass(150)


@newest
def test_a_tick_is_dragged_added_and_removed_by_the_mouse(page):
    built(page, TWO)
    drag(page, place(page, 1, 0.5), place(page, 1, 0.7))
    low, middle, high = rows(page)["arm"]["spacing"]
    assert (low, high) == (0.2, 0.9)
    assert abs(middle - 0.7) < 0.01
    page.mouse.dblclick(*place(page, 1, 0.35))
    page.let_pass(150)
    assert len(rows(page)["arm"]["spacing"]) == 4
    assert abs(rows(page)["arm"]["spacing"][1] - 0.35) < 0.01
    x, y = place(page, 1, 0.35)
    drag(page, (x, y), (x, y + 120))
    assert rows(page)["arm"]["spacing"] == [low, middle, high]
    page.keyboard.press("Control+z")
    page.let_pass(600)
    assert len(rows(page)["arm"]["spacing"]) == 4
    assert rows(page)["arm"]["mask"] == "arm.png"  # what is not shown is kept
    assert of_json(page.evaluate(VALUE)).places(7)[0][1] == Fraction(0)
    assert page.errors == []


@newest
def test_ticks_are_moved_by_keys_and_a_preset_becomes_ticks(page):
    built(page)
    page.get_by_test_id("chart-preset-0").select_option("halves")
    page.get_by_test_id("chart-hold-0").select_option("2")
    page.let_pass(150)
    assert rows(page) == {"*": {"spacing": "halves", "on": 2}}
    page.get_by_test_id("chart-tick-0-1").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("Shift+ArrowRight")
    assert rows(page) == {"*": {"spacing": [0.25, 0.61, 0.75], "on": 2}}
    page.keyboard.press("Delete")
    assert rows(page) == {"*": {"spacing": [0.25, 0.75], "on": 2}}
    assert page.errors == []


@newest
def test_parts_are_added_named_and_removed(page):
    built(page)
    page.get_by_test_id("chart-add").click()
    name = page.get_by_test_id("chart-name-1")
    name.fill("arm")
    name.press("Enter")
    page.let_pass(150)
    assert rows(page) == {"*": "even", "arm": "ease-in-out"}
    page.get_by_test_id("chart-add").click()
    page.get_by_test_id("chart-name-2").fill("arm")  # taken
    page.get_by_test_id("chart-name-2").press("Enter")
    page.let_pass(150)
    assert list(rows(page)) == ["*", "arm", "part 1"]
    page.get_by_test_id("chart-remove-1").click()
    page.let_pass(150)
    assert list(rows(page)) == ["*", "part 1"]
    assert page.errors == []


@newest
def test_keyframes_are_seen_and_then_what_was_made(page):
    built(page)
    images = "[...document.querySelectorAll('[data-testid=chart-stage] img')].map(image => [image.src, image.style.opacity])"
    page.wait_for_function(f"{images}.length === 2")
    assert [source.split("filename=")[1].split("&")[0] for source, _ in page.evaluate(images)] == ["first.png", "last.png"]
    page.evaluate(RAN)
    page.wait_for_function(f"{images}.length === 3")
    page.get_by_test_id("chart-frame-1").click()
    names = [source.split("filename=")[1].split("&")[0] for source, _ in page.evaluate(images)]
    assert names == ["run.png", "first.png", "run.png"]
    assert page.get_by_test_id("chart-said").text_content() == "Frame 1"
    page.get_by_test_id("chart-onion").click()
    assert len(page.evaluate(images)) == 1
    assert page.errors == []


@newest
def test_more_drawings_than_frames_are_told(page):
    built(page, '{"charts": {"arm": [0.1, 0.2, 0.3]}}')
    page.evaluate(f"{NODE}.widgets.find(widget => widget.name === 'frames').value = 2")
    page.wait_for_function("!document.querySelector('[data-testid=chart-note]').hidden")
    assert "3 drawings" in page.get_by_test_id("chart-note").text_content()
    page.evaluate(f"{VALUE} = 'nonsense'")
    page.wait_for_function("document.querySelector('[data-testid=chart-note]').textContent.startsWith('Cannot show')")
    assert page.evaluate(VALUE) == "nonsense"
    assert page.errors == []
