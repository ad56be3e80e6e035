"""The Model Picker in ComfyUI's real front end: by keyboard and by mouse, and what it sets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.conftest import MODELS
from tests.browser.test_track_editor import FRONT_ENDS, everywhere, newest, within

LOADER = "app.graph._nodes.find(node => node.type === 'InbetweenLoadModel')"
VALUE = f"{LOADER}.widgets.find(widget => widget.name === 'model').value"
BUILD = """() => {
  app.graph.clear();
  const node = LiteGraph.createNode('InbetweenLoadModel');
  app.graph.add(node);
  node.pos = [300, 120];
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [0, 0];
  app.canvas.setDirty(true, true);
}"""
BUTTON = f"""() => {{
  const node = {LOADER}, widget = node.widgets.at(-1), box = app.canvas.canvas.getBoundingClientRect();
  return [box.left + node.pos[0] + node.size[0] / 2, box.top + node.pos[1] + widget.y + 10];
}}"""
SAVED = f"""() => {{
  const node = {LOADER};
  const kept = node.widgets.filter(widget => widget.serialize !== false);
  return [[...node.serialize().widgets_values], kept.map(widget => widget.value)];
}}"""
PROMPT = "app.graphToPrompt().then(made => Object.values(made.output)[0].inputs)"
LONG = f"folder/{'a long name ' * 20}näme 補間.safetensors"


def row(name: str, state: str = "on disk", choice: str | None = None, **more: Any) -> dict[str, Any]:
    """A row as the pack's route answers it."""
    plain = {
        "name": name, "state": state, "choice": choice, "file": "", "folder": "", "size": None,
        "network": "", "licence": "MIT", "says": "Any use.", "url": "https://example.org/mit", "commercial": True, "suits": "",
        "qualities": [], "psnr": None, "seconds": None, "hint": "",
    }  # fmt: skip
    return plain | more


FORBIDS = {
    "licence": "CC-BY-NC-4.0",
    "says": "No commercial use.",
    "url": "https://example.org/by-nc",
    "commercial": False,
}
UNKNOWN = {"licence": "", "says": "Not known.", "url": "", "commercial": None}


@pytest.fixture
def picker(page: Any) -> Any:
    """The page with one loader, of which the picker is open, and a server with hundreds of files."""
    rows = [
        row("auto", "built in", "auto", licence="", says="", url="", commercial=None),
        row("dis", "built in", "dis", psnr=29.66, seconds=0.04, qualities=["best"]),
        row("inbetween-s", choice="inbetween-s", size=687_600, psnr=29.85, seconds=0.04, qualities=["fast"]),
        row("gift", choice="gift (non-commercial)", size=5_000_000, suits="presents", **FORBIDS),
        row(LONG, choice=LONG, size=7, **UNKNOWN),
        *(row(f"many {k:03}.safetensors", choice=f"many {k:03}.safetensors", size=1000 + k) for k in range(300)),
        row("film", "download", "film (download)", size=68_882_302),
        row("old.pth", "convert", hint="Run the node Convert Model once."),
        row("far", "missing", hint="Put the file of its authors into models.", **FORBIDS),
    ]
    MODELS.update(rows=rows, choices=[one["choice"] for one in rows if one["choice"]])
    page.evaluate(BUILD)
    opened(page)
    yield page
    page.evaluate("() => document.querySelector('.inbetween-models')?.close()")


def opened(page: Any) -> None:
    """Press the button on the node and wait for the rows."""
    page.let_pass(300)
    if page.evaluate("!!LiteGraph.vueNodesMode"):
        page.get_by_role("button", name="browse models").click()
    else:
        page.mouse.click(*page.evaluate(BUTTON))
    page.wait_for_function("document.querySelectorAll('.inbetween-models tbody tr').length > 0")


def names(page: Any) -> list[str]:
    return page.evaluate("[...document.querySelectorAll('.inbetween-models tbody tr')].map(line => line.dataset.name)")


def marked(page: Any) -> str:
    found = page.locator(".inbetween-models tr[aria-selected=true]")
    by = page.get_by_test_id("model-search").get_attribute("aria-activedescendant")
    assert found.get_attribute("id") == by
    return found.get_attribute("data-name")


def is_open(page: Any) -> bool:
    return page.locator(".inbetween-models").count() == 1


def wait_until_closed(page: Any) -> None:
    page.locator(".inbetween-models").wait_for(state="detached")


@everywhere
@pytest.mark.slow
def test_a_model_is_found_and_chosen_by_keyboard(picker: Any):
    page = picker
    told = page.get_by_test_id("model-details")
    assert len(names(page)) == 308
    assert marked(page) == "auto"
    page.keyboard.type("many 01")
    assert names(page) == [f"many {k}.safetensors" for k in ("001", *(f"01{k}" for k in range(10)), "101", "201")]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("PageDown")
    page.keyboard.press("ArrowUp")
    assert marked(page) == "many 019.safetensors"
    page.keyboard.press("Enter")
    wait_until_closed(page)
    assert page.evaluate(PROMPT)["model"] == "many 019.safetensors"
    saved, values = page.evaluate(SAVED)
    assert saved == values
    assert values[:2] == ["many 019.safetensors", False]

    opened(page)
    assert marked(page) == "many 019.safetensors"
    page.keyboard.type("presents")
    assert "CC-BY-NC-4.0, non-commercial. No commercial use." in told.inner_text()
    assert told.get_by_role("link").get_attribute("href") == "https://example.org/by-nc"
    page.keyboard.press("Enter")
    assert is_open(page)
    assert page.evaluate(VALUE) == "many 019.safetensors"
    assert page.get_by_test_id("model-choose").inner_text() == "Choose for non-commercial use"
    page.keyboard.press("Enter")
    wait_until_closed(page)
    assert page.evaluate(VALUE) == "gift (non-commercial)"

    opened(page)
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    wait_until_closed(page)
    assert page.evaluate(VALUE) == "gift (non-commercial)"
    assert [error for error in page.errors if "inbetween" in error.lower()] == []


@newest
@pytest.mark.slow
def test_the_table_is_sorted_and_filtered_by_mouse_and_keys_stay_out_of_the_graph(picker: Any):
    page = picker
    column = page.locator(".inbetween-models th", has_text="Size")
    column.get_by_role("button").click()
    assert column.get_attribute("aria-sort") == "ascending"
    assert names(page)[:2] == [LONG, "many 000.safetensors"]
    column.get_by_role("button").click()
    assert names(page)[:3] == ["film", "gift", "inbetween-s"]
    page.get_by_label("ready to use").check()
    page.get_by_label("hide non-commercial").check()
    assert not {"film", "old.pth", "far", "gift"} & set(names(page))
    page.get_by_label("ready to use").uncheck()
    page.get_by_label("hide non-commercial").uncheck()

    page.locator(".inbetween-models tr", has_text="dis").first.click()
    for key in ("Delete", "r", "Control+Enter", "m"):
        page.keyboard.press(key)
    page.let_pass(200)
    assert page.evaluate("app.graph._nodes.length") == 1

    page.get_by_test_id("model-search").fill("far")
    assert page.get_by_test_id("model-choose").is_disabled()
    page.locator(".inbetween-models tr", has_text="far").last.dblclick()
    assert is_open(page)
    page.get_by_test_id("model-search").fill("nothing like it")
    assert page.get_by_test_id("model-details").inner_text() == "No model has all of these words."
    page.get_by_test_id("model-search").fill("old.pth")
    page.get_by_test_id("model-choose").click()
    assert page.evaluate("app.graph._nodes.map(node => [node.type, node.widgets[0].value])") == [
        ["InbetweenLoadModel", "auto"],
        ["InbetweenConvertModel", "old.pth"],
    ]


@within(FRONT_ENDS[:2])
@pytest.mark.slow
def test_a_download_is_announced_and_a_file_that_came_since_can_be_chosen(picker: Any):
    page = picker
    told = page.get_by_test_id("model-details")
    page.get_by_test_id("model-search").fill("film")
    assert (
        "Choosing it downloads nothing. The next run needs allow download, which is off: switch it on first."
        in told.inner_text()
    )
    film = next(one for one in MODELS["rows"] if one["name"] == "film")
    film |= {"state": "on disk", "choice": "film", "file": "film.safetensors", "folder": "/models"}
    MODELS["choices"] = [one["choice"] for one in MODELS["rows"] if one["choice"]]
    page.get_by_test_id("model-refresh").click()
    page.wait_for_function(
        "document.querySelector('[data-testid=model-details]').innerText.includes('film.safetensors in /models')"
    )
    page.get_by_test_id("model-choose").click()
    assert page.evaluate(PROMPT)["model"] == "film"
    assert page.evaluate(f"{LOADER}.widgets[0].options.values.includes('film')")
    if page.evaluate("!!LiteGraph.vueNodesMode"):
        page.locator("[data-node-id]").get_by_text("film", exact=True).wait_for()


HOST = """async ({ row, told }) => {
  const { openPicker } = await import('/extensions/inbetween/model_picker/dialog.js');
  window.picked = [];
  openPicker({
    load: async () => [row], current: () => 'auto', fixed: () => told.fixed, download: () => told.download,
    accepted: () => told.accepted, quality: () => told.quality, choose: row => picked.push(row.name), convert: () => {},
  });
}"""


@newest
@pytest.mark.slow
@pytest.mark.parametrize(
    ("told", "says"),
    [
        ({"download": True}, "The next run downloads it, because allow download is on."),
        ({}, "The next run downloads it if allow download is on, which another node decides."),
        ({"download": True, "accepted": False}, "It needs accept licence too, which is off, unless"),
        ({"quality": "draft"}, "Quality is draft, which uses no network: set it to fast, normal or best for this model."),
        ({"fixed": "The value comes from elsewhere."}, "The value comes from elsewhere."),
    ],
)
def test_what_stands_in_the_way_of_a_model_is_said_before_it_is_chosen(page: Any, told: dict[str, Any], says: str):
    row_of_gift = row("gift", "download", "gift (download)", **FORBIDS)
    given = {"fixed": "", "quality": "normal", **told}
    page.evaluate(HOST, {"row": row_of_gift, "told": given})
    page.wait_for_function("document.querySelectorAll('.inbetween-models tbody tr').length === 1")
    assert says in page.get_by_test_id("model-details").inner_text()
    choose = page.get_by_test_id("model-choose")
    assert choose.is_disabled() is bool(given["fixed"])
    if choose.is_enabled():
        choose.click()
    else:
        page.keyboard.press("Enter")
        page.keyboard.press("Escape")
    wait_until_closed(page)
    assert page.evaluate("picked") == ([] if given["fixed"] else ["gift"])
