"""The example workflows, as the browser shows them and as the server runs them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(path.stem for path in (ROOT / "example_workflows").glob("*.json"))


@pytest.fixture(params=EXAMPLES)
def forms(request) -> tuple[dict, dict]:
    """The graph of the browser and the form that the API takes."""
    folders = (ROOT / "example_workflows", ROOT / "tests" / "workflows")
    graph, api = (json.loads((folder / f"{request.param}.json").read_text(encoding="utf-8")) for folder in folders)
    return graph, api


def test_there_are_two_with_a_picture_each():
    assert EXAMPLES == ["Interpolate a clip", "Smooth a batch of images"]
    assert {path.stem for path in (ROOT / "example_workflows").glob("*.jpg")} == set(EXAMPLES)


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
            assert node["inputs"].keys() <= known
