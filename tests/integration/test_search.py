"""The search of ComfyUI's own browser code, over its own nodes and ours."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

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


@pytest.fixture(scope="module")
def page(comfyui) -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        page = browser.new_page()
        page.goto(f"http://127.0.0.1:{comfyui.port}/")
        page.wait_for_function("window.app && window.app.graph", timeout=120_000)
        page.wait_for_function(f"{STORE} && {STORE}.nodeDefsByName.InbetweenInterpolate", timeout=120_000)
        yield page
        browser.close()


@pytest.mark.parametrize("words", MEANT)
def test_the_node_that_is_meant_comes_first(page, words: str):
    found = page.evaluate(f"words => {STORE}.nodeSearchService.searchNode(words).map(node => node.name)", words)
    ours = [name for name in found if name.startswith("Inbetween")]
    assert ours[0] == MEANT[words], found[:8]
    assert found.index(ours[0]) <= 3, found[:8]
    assert "InbetweenDropIn" not in ours[:3]
