"""The search of ComfyUI's own browser code, in two versions, over its own nodes and ours."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

pytestmark = pytest.mark.comfyui

MEANT = {
    "rife": "InbetweenInterpolateVideo",
    "film": "InbetweenInterpolateVideo",
    "vfi": "InbetweenInterpolateVideo",
    "frame interpolation": "InbetweenInterpolate",
    "interpolate": "InbetweenInterpolateVideo",
    "interpolate video": "InbetweenInterpolateVideo",
    "interpolate frames": "InbetweenInterpolate",
    "tween": "InbetweenFramerTween",
    "between": "InbetweenInterpolate",
    "in-between": "InbetweenInterpolate",
    "smooth": "InbetweenInterpolateVideo",
    "morph": "InbetweenFramerTween",
    "fps": "InbetweenInterpolateVideo",
    "slow motion": "InbetweenRetimeVideo",
}
"""What a person types, and the node that comes first, or right behind ComfyUI's own."""

STORE = "document.querySelector('#vue-app').__vue_app__.config.globalProperties.$pinia._s.get('nodeDef')"


@pytest.fixture(scope="module", params=[None, "1.58.1"], ids=lambda version: version or "own")
def page(comfyui, chromium, request: pytest.FixtureRequest) -> Any:
    """The page of the server's own front end, or of another version of it on the same server."""
    page = chromium.new_page()
    if request.param is not None:
        serve(page, request.param)
    page.goto(f"http://127.0.0.1:{comfyui.port}/")
    page.wait_for_function("window.app && window.app.graph", timeout=120_000)
    page.wait_for_function(f"{STORE} && {STORE}.nodeDefsByName.InbetweenInterpolate", timeout=120_000)
    assert request.param in (None, page.evaluate("window.__COMFYUI_FRONTEND_VERSION__"))
    return page


def serve(page: Any, version: str) -> None:
    """Answer for the server wherever this version of the front end has a file."""
    from tests.browser.conftest import bundle

    static = bundle(version)

    def file(url: str) -> Path:
        return static / (urlsplit(url).path.lstrip("/") or "index.html")

    page.route(lambda url: file(url).is_file(), lambda route: route.fulfill(path=file(route.request.url)))


@pytest.mark.parametrize("words", MEANT)
def test_the_node_that_is_meant_comes_first(comfyui, page, words: str):
    found = page.evaluate(f"words => {STORE}.nodeSearchService.searchNode(words).map(node => node.name)", words)
    blueprints = comfyui.get("/global_subgraphs").items()
    kept = {f"SubgraphBlueprint.{key}" for key, entry in blueprints if entry["info"]["node_pack"] != "comfyui"}
    nodes = [name for name in found if name not in kept]
    ours = [name for name in nodes if name.startswith("Inbetween")]
    assert ours[0] == MEANT[words], found[:8]
    assert nodes.index(ours[0]) <= 3, found[:8]
    assert "InbetweenDropIn" not in ours[:3]
