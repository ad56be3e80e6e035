"""The example workflows, as the browser shows them and as the server runs them."""

from __future__ import annotations

import json
import re

import pytest
from forms import EXAMPLES, ROOT, api_form


@pytest.fixture(params=EXAMPLES)
def forms(request) -> tuple[dict, dict]:
    """The graph of the browser and the form that the API takes."""
    graph = (ROOT / "example_workflows" / f"{request.param}.json").read_text(encoding="utf-8")
    return json.loads(graph), api_form(request.param)


def test_each_has_a_picture():
    assert EXAMPLES
    assert sorted(path.stem for path in (ROOT / "example_workflows").glob("*.jpg")) == EXAMPLES


def test_no_form_for_the_api_is_left_over():
    assert sorted(path.stem for path in (ROOT / "tests" / "workflows").glob("*.json")) == EXAMPLES


def test_what_is_loaded_is_what_the_note_tells_where_to_find(forms):
    graph, _ = forms
    (note,) = (node["widgets_values"][0] for node in graph["nodes"] if node["type"] == "MarkdownNote")
    loads = ("LoadVideo", "LoadImage", "LoadImageMask")
    loaded = {node["widgets_values"][0] for node in graph["nodes"] if node["type"] in loads}
    told = [ROOT / name for name in re.findall(r"[*][*](\S+\.(?:mp4|png))[*][*]", note)]
    assert {path.name for path in told if path.is_file()} == loaded


def test_both_forms_are_the_same_workflow(forms):
    graph, api = forms
    drawn = {str(node["id"]): node for node in graph["nodes"] if node["type"] != "MarkdownNote"}
    assert {key: node["type"] for key, node in drawn.items()} == {key: node["class_type"] for key, node in api.items()}
    links = {(str(to), drawn[str(to)]["inputs"][slot]["name"]): [str(at), out] for _, at, out, to, slot, _ in graph["links"]}
    wired = {
        (key, name): value for key, node in api.items() for name, value in node["inputs"].items() if isinstance(value, list)
    }
    assert wired == links
    for key, node in api.items():
        values = iter(drawn[key].get("widgets_values", []))
        assert all(value in values for value in node["inputs"].values() if not isinstance(value, list)), node["class_type"]


def test_every_input_is_one_that_the_node_has(forms, nodes):
    _, api = forms
    for node in api.values():
        if node["class_type"] in nodes:
            known: set[str] = set()
            for part in nodes[node["class_type"]].define_schema().inputs:
                known.add(part.id)
                if part.io_type == "COMFY_DYNAMICCOMBO_V3":
                    known |= {f"{part.id}.{inner.id}" for option in part.options for inner in option.inputs}
                if part.io_type == "COMFY_AUTOGROW_V3":
                    known |= {f"{part.id}.{name}" for name in part.template.names}
            assert node["inputs"].keys() <= known


def test_an_app_asks_for_widgets_and_shows_results_that_there_are():
    graph = json.loads((ROOT / "example_workflows" / "Smooth a video (app).json").read_text(encoding="utf-8"))
    nodes, app = {node["id"]: node for node in graph["nodes"]}, graph["extra"]["linearData"]
    assert graph["extra"]["linearMode"] is True
    for key, name in app["inputs"]:
        assert name in [slot["widget"]["name"] for slot in nodes[key]["inputs"] if "widget" in slot]
    assert [nodes[key]["type"] for key in app["outputs"]] == ["SaveVideo"]
