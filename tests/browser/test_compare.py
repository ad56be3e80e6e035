"""The comparison of two clips in ComfyUI's real front end: what is seen and said of each step."""

from __future__ import annotations

from typing import Any

from tests.browser.test_track_editor import CLASSIC, VUE, within

newest = within([("1.58.1", CLASSIC), ("1.58.1", VUE)])
NODE = "app.graph._nodes.find(node => node.type === 'InbetweenCompare')"
DISC, GROUND = [230, 90, 40], [60, 60, 60]
LEFT, RIGHT, BETWEEN = (80, 100), (240, 100), (160, 30)
"""Places in the pictures: the disc of one, the disc of the other, and neither."""

BUILD = """() => {
  app.graph.clear();
  app.graph.id = crypto.randomUUID();
  const node = LiteGraph.createNode('InbetweenCompare');
  app.graph.add(node);
  node.pos = [330, 40];
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [60, 80];
  app.canvas.setDirty(true, true);
  const step = (index, files, psnr) =>
    ({files, numbers: [index, 2 * index], time: index / 4, duration: 1 / 4, psnr, error: psnr === null ? 0 : 9, ssim: null});
  const [first, last] = ['first.png', 'last.png'];
  const steps = [step(0, [first, first], null), step(1, [first, last], 20.5), step(2, [last, last], null)];
  const told = {folder: 'inbetween', steps, first: 0, of: 9, notes: ['b goes on.'], report: 'compared: 9 steps'};
  app.nodeOutputs = {[node.id]: {inbetween_compare: [told]}};
}"""

COLOUR = """([x, y]) => {
  const canvas = document.querySelector('[data-testid=compare-canvas]');
  const scale = Math.min(canvas.width / 320, canvas.height / 200);
  const place = [canvas.width / 2 + (x - 160) * scale, canvas.height / 2 + (y - 100) * scale].map(Math.round);
  return [...canvas.getContext('2d').getImageData(...place, 1, 1).data.slice(0, 3)];
}"""


def compared(page: Any) -> Any:
    page.errors.clear()
    page.evaluate(BUILD)
    page.wait_for_function("document.querySelector('[data-testid=compare-said]')?.textContent.endsWith('equal')")
    page.let_pass(600)  # until the node lies still
    page.get_by_test_id("compare-canvas").click(position={"x": 30, "y": 60})
    return page


def press(page: Any, *keys: str) -> None:
    for key in keys:
        page.keyboard.press(key)
    page.let_pass(250)


def colour(page: Any, place: tuple[int, int]) -> list[int]:
    return page.evaluate(COLOUR, list(place))


def said(page: Any) -> str:
    return page.get_by_test_id("compare-said").text_content()


@newest
def test_each_mode_shows_what_it_says(page):
    compared(page)
    size = page.evaluate(f"[...{NODE}.size]")
    press(page, "ArrowRight")
    assert said(page) == "step 1 of 9 · 0.250 s · a 1, b 2 · PSNR 20.50 dB · difference 9.00"
    assert colour(page, LEFT) == colour(page, RIGHT) == DISC  # a's disc left of the divider, b's right of it
    page.get_by_test_id("divider").focus()
    press(page, *["ArrowRight"] * 25)
    assert colour(page, RIGHT) == GROUND
    assert page.get_by_test_id("divider").get_attribute("aria-valuenow") == "100"
    page.get_by_test_id("mode-difference").click()
    page.get_by_test_id("gain").select_option("1")
    press(page)
    assert colour(page, LEFT) == colour(page, RIGHT) == [170, 30, 20]
    assert colour(page, BETWEEN) == [0, 0, 0]
    page.get_by_test_id("gain").select_option("4")
    press(page)
    assert colour(page, LEFT) == [255, 120, 80]
    page.get_by_test_id("compare-canvas").click(position={"x": 30, "y": 60})
    for key, seen in (("a", [DISC, GROUND]), ("b", [GROUND, DISC])):
        page.keyboard.down(key)
        page.let_pass(250)
        assert [colour(page, place) for place in (LEFT, RIGHT)] == seen
        page.keyboard.up(key)
    press(page, "ArrowRight")
    assert [colour(page, place) for place in (LEFT, RIGHT, BETWEEN)] == [[0, 0, 0]] * 3
    press(page, "4")
    assert [tag.is_visible() for tag in page.locator(".inbetween-compare .tag").all()] == [True, True]
    assert page.evaluate(f"[...{NODE}.size]") == size
    assert page.errors == []


@newest
def test_a_run_is_played_told_and_kept_with_its_tab(page):
    compared(page)
    assert page.get_by_test_id("compare-notes").text_content() == "b goes on."
    press(page, "w")
    assert said(page).startswith("step 1 of 9")
    page.get_by_test_id("compare-play").click()
    page.wait_for_function("document.querySelector('[data-testid=compare-said]').textContent.startsWith('step 2')")
    page.wait_for_function("document.querySelector('[data-testid=compare-said]').textContent.startsWith('step 0')")
    press(page, " ", "End", "r", "2")
    assert said(page).startswith("step 2 of 9")
    assert page.get_by_test_id("compare-report").text_content() == "compared: 9 steps"
    page.wait_for_function(f"{NODE}.properties.inbetween_compare?.mode === 'difference'")
    sent = page.evaluate(f"app.graphToPrompt().then(sent => Object.keys(sent.output[{NODE}.id].inputs))")
    assert "view" not in sent
    # Another tab of the page, and back: ComfyUI sets the outputs of its workflow.
    page.evaluate("() => { window.kept = JSON.parse(JSON.stringify(app.nodeOutputs)); app.nodeOutputs = {}; }")
    page.wait_for_function("document.querySelector('[data-testid=compare-said]').textContent === ''")
    page.evaluate("() => { app.nodeOutputs = window.kept; }")
    page.wait_for_function("document.querySelector('[data-testid=compare-said]').textContent.startsWith('step 0')")
    page.evaluate(f"app.graph.remove({NODE})")
    page.wait_for_function("!document.querySelector('.inbetween-compare')")
    assert page.errors == []
