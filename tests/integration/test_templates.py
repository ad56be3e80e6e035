"""The example workflows as a newcomer meets them: opened on a server whose folders are empty, then Run.

In Chromium, in both renderers of the front end. ``INBETWEEN_FRONT_END`` names the static files of another front end than the
one that the interpreter of ComfyUI has.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest
from forms import APP, EXAMPLES, ROOT, foreign, title

from tests.browser.conftest import MINUTE, let_pass
from tests.integration.conftest import PACK, ComfyUI
from tests.integration.test_examples import EXPECTED, LIGHTER

pytestmark = [pytest.mark.comfyui, pytest.mark.slow]

OPEN = """async ([pack, name]) => {
  const graph = await (await fetch(`/api/workflow_templates/${pack}/${encodeURIComponent(name)}.json`)).json();
  await app.loadGraphData(graph, true, true, name, { openSource: "template" });
  await app.extensionManager.command.execute("Comfy.Canvas.FitView");
}"""
"""What a click on a template does."""

WRONG = """() => {
  const stores = document.querySelector("#vue-app").__vue_app__.config.globalProperties.$pinia._s;
  const of = (name) => stores.get(name) ?? {};
  const errors = of("executionError");
  const plain = (value) => JSON.parse(JSON.stringify(value ?? null));
  return {
    unknown: app.graph._nodes.filter(node => !LiteGraph.registered_node_types[node.type]).map(node => node.type),
    red: app.graph._nodes.filter(node => node.has_errors).map(node => node.type),
    nodes: plain(of("missingNodesError").missingNodesError),
    media: plain(of("missingMedia").missingMediaCandidates) ?? [],
    models: plain(of("missingModel").missingModelCandidates) ?? [],
    run: [plain(errors.lastPromptError), plain(errors.lastNodeErrors), plain(errors.lastExecutionError)],
  };
}"""
"""All that the front end holds against the open workflow."""

RECTANGLES = """() => app.graph._nodes.map(node => {
  if (!LiteGraph.vueNodesMode) return [`${node.id} ${node.type}`, ...node.boundingRect];
  const { scale, offset } = app.canvas.ds, canvas = app.canvas.canvas.getBoundingClientRect();
  const seen = document.querySelector(`[data-node-id="${node.id}"]`).getBoundingClientRect();
  const place = [(seen.left - canvas.left) / scale - offset[0], (seen.top - canvas.top) / scale - offset[1]];
  return [`${node.id} ${node.type}`, ...place, seen.width / scale, seen.height / scale];
})"""
"""Where each node is in the graph, with its title: name, x, y, width, height."""

CHANGE = """changes => {
  for (const [kind, each] of Object.entries(changes)) {
    const nodes = app.graph._nodes.filter(node => node.type === kind).sort((a, b) => a.id - b.id);
    for (const [index, values] of each.entries())
      for (const [name, value] of Object.entries(values)) {
        const widget = nodes[index].widgets.find(widget => widget.name === name);
        widget.value = value;
        widget.callback?.(value);
      }
  }
}"""

BRING_MEDIA = [name for name in EXAMPLES if name != APP]

CLEAN = {"unknown": [], "red": [], "nodes": None, "media": [], "models": [], "run": [None, None, None]}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ComfyUI]:
    """A server on which nobody has put anything."""
    other = os.environ.get("INBETWEEN_FRONT_END")
    server = ComfyUI(tmp_path_factory.mktemp("fresh"), *(["--front-end-root", other] if other else []))
    yield server
    server.stop()


@pytest.fixture(scope="module", params=[False, True], ids=["classic", "nodes-2.0"])
def page(request: pytest.FixtureRequest, fresh: ComfyUI, chromium: Any) -> Iterator[Any]:
    """The front end of that server, in one of its renderers."""
    settings = {"Comfy.TutorialCompleted": True, "Comfy.UseNewMenu": "Top", "Comfy.VueNodes.Enabled": request.param}
    fresh.post("/api/settings", **settings)
    address = f"http://127.0.0.1:{fresh.port}"
    context = chromium.new_context(viewport={"width": 1500, "height": 1000})
    context.set_default_timeout(2 * MINUTE)
    context.route(lambda url: not url.startswith(address), lambda route: route.abort())
    page = context.new_page()
    page.goto(address, wait_until="commit")
    page.wait_for_function("!!window.app?.graph && !!window.LiteGraph?.registered_node_types?.InbetweenTrackEditor")
    page.wait_for_function(f"LiteGraph.vueNodesMode === {json.dumps(request.param)}")
    let_pass(page, 1500)
    page.keyboard.press("Escape")
    yield page
    context.close()


def run(page: Any, server: ComfyUI, timeout: float = 900) -> dict[str, Any]:
    """Press Run; the server's record of what it did."""
    before = set(server.get("/history"))
    page.get_by_test_id("queue-button").click()
    end = time.monotonic() + timeout
    while time.monotonic() < end:
        for key, record in server.get("/history").items():
            if key not in before:
                return record
        assert page.evaluate(WRONG)["run"] == CLEAN["run"]
        let_pass(page, 300)
    pytest.fail(f"not done within {timeout:g} s")


def overlaps(page: Any) -> list[str]:
    """Nodes that lie over each other."""
    return [
        f"{one} and {other}"
        for (one, x, y, w, h), (other, left, top, width, height) in combinations(page.evaluate(RECTANGLES), 2)
        if x < left + width and left < x + w and y < top + height and top < y + h
    ]


def opened(page: Any, name: str) -> dict[str, Any]:
    """Open a template; it as it is in the pack."""
    page.evaluate(OPEN, [PACK, name])
    let_pass(page, 800)
    return json.loads((ROOT / "example_workflows" / f"{name}.json").read_text(encoding="utf-8"))


EDITOR = "app.graph._nodes.find(node => node.type === 'InbetweenTrackEditor')"


def says(page: Any, end: str, text: str) -> None:
    """Wait until the Track Editor shows the picture of an end and says this of it; only a picture that is loaded is said so."""
    page.wait_for_function(f"document.querySelector('[data-testid=source-{end}]')?.textContent === '{text}'")


@pytest.mark.parametrize("name", BRING_MEDIA)
def test_it_opens_clean_and_runs(page: Any, fresh: ComfyUI, name: str):
    graph = opened(page, name)
    models = [model for node in graph["nodes"] for model in node["properties"].get("models", [])]
    if models:
        page.wait_for_function(f"({WRONG})().models.length === {len(models)}")
    wrong = page.evaluate(WRONG)
    told = ("name", "url", "directory")
    assert {tuple(one.get(key) for key in told) for one in wrong.pop("models")} == {
        tuple(model[key] for key in told) for model in models
    }
    lacking = [node["type"] for node in graph["nodes"] if "models" in node["properties"]]
    assert sorted(wrong.pop("red")) == sorted(lacking)
    assert wrong == {name: value for name, value in CLEAN.items() if name not in ("models", "red")}
    assert overlaps(page) == []
    if page.evaluate(f"!!{EDITOR}"):
        for end in ("first", "last"):
            connected = page.evaluate(f"{EDITOR}.inputs.find(one => one.name === '{end}').link !== null")
            says(page, end, f"ball-{end}.png" if connected else "not connected")
    if models:
        return
    page.evaluate(CHANGE, LIGHTER.get(title(name), {}))
    record = run(page, fresh)
    assert record["status"]["status_str"] == "success", record["status"]
    EXPECTED[title(name)](fresh, record["prompt"][2], record["outputs"])
    let_pass(page, 800)
    assert page.evaluate(WRONG) == CLEAN
    assert overlaps(page) == []


def test_every_example_without_foreign_weights_is_compared():
    assert set(EXPECTED) == {title(name) for name in EXAMPLES if name != APP and not foreign(name)}


def test_the_editor_shows_the_ends_of_an_example_clip_before_a_run(page: Any):
    page.evaluate(
        """() => {
          app.graph.clear();
          const [clip, parts, editor] = ["InbetweenExampleClip", "GetVideoComponents", "InbetweenTrackEditor"].map(type => {
            const node = LiteGraph.createNode(type);
            app.graph.add(node);
            return node;
          });
          clip.connect(0, parts, 0);
          for (const end of ["first", "last"]) parts.connect(0, editor, editor.inputs.findIndex(one => one.name === end));
        }"""
    )
    for end in ("first", "last"):
        says(page, end, f"fox-16fps.mp4, {end} frame")


SHOWN = """() => {
  const node = app.graph._nodes[0], of = LiteGraph.vueNodesMode ? `[data-node-id="${node.id}"] ` : "";
  const seen = [...document.querySelectorAll(`${of}img.inbetween-example`)].filter(one => one.checkVisibility());
  return seen.map(one => `${one.getAttribute("src").split("/").pop()} ${one.naturalWidth}`).join();
}"""


def test_an_example_node_shows_the_picture_that_is_chosen_after_undo_too(page: Any):
    page.evaluate(
        """() => {
          app.canvas.emitBeforeChange();
          app.graph.clear();
          const node = LiteGraph.createNode("InbetweenExamplePicture");
          app.graph.add(node);
          node.pos = [100, 100];
          app.canvas.ds.reset();
          app.canvas.emitAfterChange();
        }"""
    )
    page.wait_for_function(f"({SHOWN})() === 'ball-first.png 640'")
    let_pass(page, 500)
    change = """() => {
      const widget = app.graph._nodes[0].widgets[0];
      app.canvas.emitBeforeChange();
      widget.value = "ball-last.png";
      widget.callback?.(widget.value);
      app.canvas.emitAfterChange();
    }"""
    page.evaluate(change)
    page.wait_for_function(f"({SHOWN})() === 'ball-last.png 640'")
    let_pass(page, 500)
    page.evaluate("app.extensionManager.command.execute('Comfy.Undo')")
    page.wait_for_function("app.graph._nodes[0].widgets[0].value === 'ball-first.png'")
    page.wait_for_function(f"({SHOWN})() === 'ball-first.png 640'")
