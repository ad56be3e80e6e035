"""The search of ComfyUI's own browser code, in two versions, over its own nodes and ours."""

from __future__ import annotations

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


@pytest.mark.parametrize("words", MEANT)
def test_the_node_that_is_meant_comes_first(comfyui, page, words: str):
    found = page.evaluate(f"words => {STORE}.nodeSearchService.searchNode(words).map(node => node.name)", words)
    blueprints = comfyui.get("/global_subgraphs").items()
    kept = {f"SubgraphBlueprint.{key}" for key, entry in blueprints if entry["info"]["node_pack"] != "comfyui"}
    nodes = [name for name in found if name not in kept]
    ours = [name for name in nodes if name.startswith("Inbetween")]
    assert ours[0] == MEANT[words], found[:8]
    assert nodes.index(ours[0]) <= 4, found[:8]  # behind ComfyUI's own nodes and blueprints
    assert "InbetweenDropIn" not in ours[:3]
