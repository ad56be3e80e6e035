"""The switch that accepts a licence, in ComfyUI's real front end."""

from __future__ import annotations

from typing import Any

import pytest

from tests.browser.test_track_editor import everywhere

SAVED = """async () => {
  app.graph.clear();
  const node = LiteGraph.createNode("InbetweenLoadModel");
  app.graph.add(node);
  node.widgets.find(widget => widget.name === "model").value = "dis";
  node.widgets.find(widget => widget.name === "accept_licence").value = true;
  const saved = JSON.parse(JSON.stringify(app.graph.serialize()));
  const sent = Object.values((await app.graphToPrompt()).output)[0].inputs;
  app.graph.configure(saved);
  const [again] = app.graph._nodes;
  const values = again.widgets.filter(one => one.type !== "button").map(one => [one.name, one.value]);
  return [saved.nodes[0].widgets_values, sent, Object.fromEntries(values)];
}"""

KEPT = {"model": "dis", "allow_download": False, "flow_scale": "1", "quality": "normal"}


@everywhere
@pytest.mark.slow
def test_an_accepted_licence_goes_with_the_prompt_and_not_with_the_workflow(page: Any):
    saved, sent, again = page.evaluate(SAVED)
    assert saved == ["dis", False, "1", "normal"]
    assert sent == {**KEPT, "accept_licence": True}
    assert again == {**KEPT, "accept_licence": False}
