"""The files of ``subgraphs/``: what they hold fits the nodes, and their search words reach the server's list."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.coroutines import finished

FOLDER = Path(__file__).parents[2] / "subgraphs"
FILES = sorted(FOLDER.glob("*.json"))


@pytest.fixture(params=FILES, ids=lambda path: path.stem)
def blueprint(request) -> dict:
    return json.loads(request.param.read_text(encoding="utf-8"))


def held(blueprint: dict) -> dict:
    """The subgraph that a blueprint's only node stands for."""
    (node,) = blueprint["nodes"]
    (subgraph,) = blueprint["definitions"]["subgraphs"]
    assert node["type"] == subgraph["id"]
    return subgraph


def inputs_of(schema) -> set[str]:
    """The names of a node's inputs, with those that an option of a choice brings along."""
    names = set()
    for part in schema.inputs:
        if part.io_type == "COMFY_AUTOGROW_V3":
            names |= {f"{part.id}.{name}" for name in part.template.names}
        else:
            names.add(part.id)
        if part.io_type == "COMFY_DYNAMICCOMBO_V3":
            names |= {f"{part.id}.{inner.id}" for option in part.options for inner in option.inputs}
    return names


def test_there_are_some():
    assert len(FILES) >= 5


def test_the_nodes_inside_are_ours_as_they_are(blueprint, nodes):
    for node in held(blueprint)["nodes"]:
        if node["type"] in nodes:
            schema = nodes[node["type"]].define_schema()
            assert {each["name"] for each in node["inputs"]} <= inputs_of(schema), node["type"]
            assert [each["name"] for each in node["outputs"]] == [part.id for part in schema.outputs]
            widgets = [each for each in node["inputs"] if "widget" in each]
            assert len(node["widgets_values"]) == len(widgets), "a value for each widget"


def test_links_lead_from_where_they_say_to_where_they_say(blueprint):
    subgraph = held(blueprint)
    nodes = {node["id"]: node for node in subgraph["nodes"]}
    for link in subgraph["links"]:
        origin, target = link["origin_id"], link["target_id"]
        start = subgraph["inputs"] if origin == -10 else nodes[origin]["outputs"]
        end = subgraph["outputs"] if target == -20 else nodes[target]["inputs"]
        out, into = start[link["origin_slot"]], end[link["target_slot"]]
        assert out["type"] == into["type"] == link["type"]
        assert link["id"] in (out["linkIds"] if origin == -10 else out["links"])
        assert link["id"] in (into["linkIds"] if target == -20 else [into["link"]])


def test_the_node_shows_what_the_subgraph_offers(blueprint):
    (node,), subgraph = blueprint["nodes"], held(blueprint)
    assert [each["name"] for each in node["inputs"]] == [each["name"] for each in subgraph["inputs"]]
    assert [each["name"] for each in node["outputs"]] == [each["name"] for each in subgraph["outputs"]]
    shown = [each["name"] for each in node["inputs"] if "widget" in each]
    assert len(node["properties"]["proxyWidgets"]) == len(shown)
    assert blueprint["extra"]["BlueprintDescription"] == subgraph["description"]


def test_words_reach_the_list_of_the_server(part, tmp_path):
    def entry(path: Path) -> dict:
        return {"path": path.as_posix(), "info": {"node_pack": "custom_nodes.any"}}

    other = tmp_path / "other.json"
    other.write_text("{}")
    entries = {path.stem: entry(path) for path in (*FILES, other)}

    async def listed(_modules: tuple) -> dict:
        return entries

    finished(part("nodes.blueprints").add_words(SimpleNamespace(get_custom_node_subgraphs=listed)))
    assert "slowmo" in entries["Slow motion"]["info"]["search_aliases"]
    assert all(entries[path.stem]["info"]["search_aliases"] for path in FILES)
    assert "search_aliases" not in entries["other"]["info"]


def test_another_server_is_no_fault(part, caplog):
    caplog.set_level("INFO")
    finished(part("nodes.blueprints").add_words(None))
    assert "by their names only" in caplog.text
