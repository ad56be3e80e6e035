"""The Model Picker in ComfyUI's own front end and server: found, chosen, run."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.comfyui

BUILD = """() => {
  app.graph.clear();
  const add = (type, pos) => {
    const node = LiteGraph.createNode(type);
    app.graph.add(node);
    node.pos = pos;
    return node;
  };
  const loader = add('InbetweenLoadModel', [100, 100]), pictures = add('EmptyImage', [100, 600]);
  const made = add('InbetweenInterpolate', [450, 100]), shown = add('PreviewImage', [900, 100]);
  const values = { width: 64, height: 48, batch_size: 2, color: 7 };
  for (const widget of pictures.widgets) widget.value = values[widget.name] ?? widget.value;
  const slot = (node, name) => node.inputs.findIndex(input => input.name === name);
  loader.connect(0, made, slot(made, 'model'));
  pictures.connect(0, made, slot(made, 'images'));
  made.connect(0, shown, 0);
  app.canvas.ds.scale = 1;
  app.canvas.ds.offset = [0, 0];
  app.canvas.setDirty(true, true);
}"""
LOADER = "app.graph._nodes.find(node => node.type === 'InbetweenLoadModel')"
BUTTON = f"""() => {{
  const node = {LOADER}, widget = node.widgets.at(-1), box = app.canvas.canvas.getBoundingClientRect();
  return [box.left + node.pos[0] + node.size[0] / 2, box.top + node.pos[1] + widget.y + 10];
}}"""


@pytest.fixture(params=[False, True], ids=["classic", "vue"])
def page(request: pytest.FixtureRequest, comfyui, chromium) -> Iterator[Any]:
    for name, value in {"VueNodes.Enabled": request.param, "TutorialCompleted": True}.items():
        comfyui.store(f"/settings/Comfy.{name}", value)
    page = chromium.new_page(viewport={"width": 1400, "height": 950})
    page.set_default_timeout(120_000)
    page.goto(f"http://127.0.0.1:{comfyui.port}/")
    page.wait_for_function("!!window.app?.graph && !!window.LiteGraph?.registered_node_types?.InbetweenLoadModel")
    page.wait_for_timeout(2000)
    page.keyboard.press("Escape")
    page.evaluate(BUILD)
    page.wait_for_timeout(500)
    yield page
    page.close()


def test_a_model_is_picked_and_makes_frames(comfyui, page):
    began = len(comfyui.text())
    (comfyui.base / "models" / "frame_interpolation" / "picked.pth").write_bytes(b"123")
    if page.evaluate("!!LiteGraph.vueNodesMode"):
        page.get_by_role("button", name="browse models").click()
    else:
        page.mouse.click(*page.evaluate(BUTTON))
    lines = page.locator(".inbetween-models tbody tr")
    lines.first.wait_for()
    page.keyboard.type("picked")
    told = page.get_by_test_id("model-details")
    assert "run the node Convert Model once" in told.inner_text()
    (comfyui.base / "models" / "frame_interpolation" / "picked.pth").unlink()
    page.get_by_test_id("model-refresh").click()
    lines.first.wait_for(state="detached")
    page.get_by_test_id("model-search").fill("without a GPU")
    assert lines.count() == 1
    page.keyboard.press("Enter")
    page.get_by_test_id("model-picker").wait_for(state="detached")
    assert page.evaluate(f"{LOADER}.widgets[0].value") == "dis"

    before = set(comfyui.get("/history"))
    page.evaluate("app.queuePrompt(0)")
    end = time.monotonic() + 120
    while not (new := comfyui.get("/history").keys() - before) and time.monotonic() < end:
        page.wait_for_timeout(200)
    run = comfyui.get("/history")[new.pop()]
    assert run["status"]["status_str"] == "success", run["status"]
    (pictures,) = [output["images"] for output in run["outputs"].values() if "images" in output]
    assert len(pictures) == 3
    assert comfyui.complaints(began) == []
