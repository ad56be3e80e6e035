"""The nodes in another language, in ComfyUI's own browser code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests import locales

pytestmark = pytest.mark.comfyui

LANGUAGE = "ja"
NODE = "InbetweenInterpolate"
STORE = "document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia._s.get('nodeDef')"
FOUND = f"words => {STORE}.nodeSearchService.searchNode(words).map(node => node.name)"
ADDED = """type => {
    const node = LiteGraph.createNode(type);
    app.graph.add(node);
    return {
        title: node.title,
        inputs: Object.fromEntries(node.inputs.map(({ name, label, localized_name }) => [name, label ?? localized_name])),
        widgets: Object.fromEntries(node.widgets.map(({ name, label, tooltip }) => [name, [label, tooltip]])),
        outputs: node.outputs.map(({ label, localized_name }) => label ?? localized_name),
    };
}"""


@pytest.fixture(scope="module")
def page(comfyui, chromium) -> Iterator[Any]:
    page = chromium.new_page()
    settings = {**comfyui.get("/settings"), "Comfy.Locale": LANGUAGE}
    page.route("**/api/settings", lambda route: route.fulfill(json=settings))
    page.goto(f"http://127.0.0.1:{comfyui.port}/")
    page.wait_for_function("!!window.app && !!window.app.graph", timeout=120_000)
    page.wait_for_function(f"!!{STORE}?.nodeDefsByName.{NODE}", timeout=120_000)
    yield page
    page.close()


@pytest.fixture(scope="module")
def known() -> dict[str, Any]:
    """The texts of the nodes in the language."""
    return json.loads((locales.LOCALES / LANGUAGE / "nodeDefs.json").read_text(encoding="utf-8"))


def test_the_server_gives_every_language(comfyui, known):
    given = comfyui.get("/i18n")
    assert {"en", *locales.LANGUAGES} <= given.keys()
    assert known.items() <= given[LANGUAGE]["nodeDefs"].items()


def test_the_english_texts_are_those_that_the_server_gives(comfyui):
    english = comfyui.get("/i18n")["en"]["nodeDefs"]
    for name, node in comfyui.get("/object_info").items():
        if name.startswith("Inbetween"):
            told = english[name]
            assert (told["display_name"], told["description"]) == (node["display_name"], node["description"])
            for kind in ("required", "optional"):
                for id, spec in node["input"].get(kind, {}).items():
                    given = spec[1]
                    assert told["inputs"][id] == {"name": given.get("display_name") or id, "tooltip": given["tooltip"]}, (
                        name,
                        id,
                    )
            assert [part["name"] for part in told["outputs"].values()] == node["output_name"], name
            assert [part["tooltip"] for part in told["outputs"].values()] == node["output_tooltips"], name


def test_a_node_is_in_the_language(page, known):
    texts = known[NODE]
    node = page.evaluate(ADDED, NODE)
    assert node["title"] == texts["display_name"]
    assert node["inputs"]["images"] == texts["inputs"]["images"]["name"]
    assert node["widgets"]["source_fps"][0] == texts["inputs"]["source_fps"]["name"]
    assert node["widgets"]["mode.times"] == list(texts["inputs"]["mode_times"].values())
    assert node["outputs"] == [part["name"] for part in texts["outputs"].values()]


def test_a_label_that_schemas_give_is_in_the_language(page, known):
    node = page.evaluate(ADDED, "InbetweenFramerTween")
    assert node["inputs"]["clip_vision"] == known["InbetweenFramerTween"]["inputs"]["clip_vision"]["name"]


def test_nodes_are_found_by_their_english_names_and_by_their_own(page, comfyui, known):
    for name, texts in known.items():
        for words in (comfyui.get(f"/object_info/{name}")[name]["display_name"], texts["display_name"]):
            words = words.replace("（", "(").split("(")[0].strip()
            assert name in page.evaluate(FOUND, words)[:4], words
