"""Workflows of other packs, opened with ours."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
import torch
from other_packs import FOLDER, FRAMES, WIDGETS, api_form, graph
from parity import load_set
from safetensors.torch import save_file

COUNT = 5


@pytest.fixture
def drop_in(part):
    return part("nodes.drop_in")


@pytest.fixture
def olds(drop_in) -> dict[str, Any]:
    return {old.node: old for old in drop_in.replaced()}


def replaced_in_a_browser(node: dict[str, Any], old: Any) -> dict[str, Any]:
    """The widget values of the new node, as ComfyUI's browser code (1.45) moves them: by their place among the old ones."""
    told = old.replacement()
    assert told.as_dict()["output_mapping"] == [{"old_idx": 0, "new_idx": 0}], "the browser cuts all other outputs"
    values = {}
    for mapping in told.input_mapping:
        assert "." not in mapping["new_id"], "the browser leaves out inputs with a dot"
        if "set_value" in mapping:
            values[mapping["new_id"]] = mapping["set_value"]
        elif mapping["old_id"] in told.old_widget_ids:
            place = told.old_widget_ids.index(mapping["old_id"])
            if place < len(node["widgets_values"]):
                values[mapping["new_id"]] = node["widgets_values"][place]
    return values


def converted_by_a_server(name: str, drop_in: Any, olds: dict[str, Any]) -> dict[str, Any]:
    """The prompt after ComfyUI's replacement (0.25), which looks up every input that is mapped."""
    prompt = drop_in.completed({"prompt": api_form(name)}, {}, olds)["prompt"]
    for node in prompt.values():
        if old := olds.get(node["class_type"]):
            told = old.replacement()
            given, node["inputs"] = node["inputs"], {}
            for mapping in told.input_mapping:
                new = mapping["new_id"]
                node["inputs"][new] = mapping["set_value"] if "set_value" in mapping else given[mapping["old_id"]]
            node["class_type"] = told.new_node_id
            assert node["_meta"] == {}
            assert told.output_mapping is None, "ComfyUI 0.25 looks outputs up under names that it replaced"
    return prompt


def test_there_is_a_workflow_for_each_formula():
    assert {path.stem for path in FOLDER.glob("*.json")} == set(FRAMES)


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_a_prompt_gives_the_frames_that_the_pack_would_give(name: str, run, drop_in, olds):
    prompt = converted_by_a_server(name, drop_in, olds)
    for count in (COUNT, 4):
        images = torch.rand(count, 40, 48, 3, generator=torch.Generator().manual_seed(0))
        node = next(key for key, one in prompt.items() if one["class_type"] == "InbetweenDropIn")
        given = {
            key: run(prompt[value[0]]["class_type"], **prompt[value[0]]["inputs"])[value[1]]
            if isinstance(value, list)
            else value
            for key, value in prompt[node]["inputs"].items()
            if key != "images"
        }
        out, used = run("InbetweenDropIn", images=images, **given)
        there = FRAMES[name](count)
        if name.startswith("skips") and count == 4:  # pair 3 is not there
            there = {"skips_rife": 4 + 2 * 2, "skips_film": 3 * 2 + 1}[name]
        assert len(out) == there
        assert torch.equal(out[0], images[0])
        assert used.startswith("inbetween-m") or used == "the connected model"


@pytest.mark.parametrize("name", sorted(FRAMES))
def test_a_browser_moves_the_same_values(name: str, drop_in, olds):
    prompt = converted_by_a_server(name, drop_in, olds)
    for node in graph(name)["nodes"]:
        if old := olds.get(node["type"]):
            sent = {key: value for key, value in prompt[str(node["id"])]["inputs"].items() if not isinstance(value, list)}
            moved = replaced_in_a_browser(node, old)
            assert moved == {key: value for key, value in sent.items() if value is not None and key in moved}
            assert {"count", "model"} & set(moved) or node["type"] == "Make Interpolation State List"
            assert list(old.widgets) == WIDGETS[node["type"]][: len(old.widgets)]


def test_every_input_that_is_mapped_is_one_of_the_new_node(olds, nodes):
    for name, old in olds.items():
        schema = nodes[old.new].define_schema()
        assert {*old.inputs, *old.values} <= {one.id for one in schema.inputs}, name
        assert all(one.optional or one.id in {*old.inputs, *old.values} for one in schema.inputs), name


def test_only_missing_nodes_are_touched(drop_in, olds):
    prompt = {"prompt": {"1": {"class_type": "FLAVR VFI", "inputs": {}}, "2": {"class_type": ["x"]}, "3": 4}}
    assert drop_in.completed(prompt, {"FLAVR VFI": object}, olds)["prompt"]["1"] == {"class_type": "FLAVR VFI", "inputs": {}}
    assert drop_in.completed(prompt, {}, olds)["prompt"]["1"]["inputs"]["duplicate_first_last_frames"] is False
    assert drop_in.completed({"prompt": None}, {}, olds) == {"prompt": None}


def test_places_are_exact(drop_in):
    none = lambda index: False  # noqa: E731
    assert drop_in.every(3, 3, none) == [Fraction(k, 3) for k in range(7)]
    assert drop_in.every(1, 5, none) == [0]
    assert drop_in.every(3, 2, lambda index: index == 0) == [0, 1, Fraction(3, 2), 2]
    assert drop_in.dropping(3, 2, lambda index: index == 0) == [1, Fraction(3, 2), 2]
    assert drop_in.inner(4, True, none) == [0, 0, 1, Fraction(3, 2), 2, 3, 3]
    assert drop_in.converted(3, 24.0, 48.0) == [0, Fraction(1, 2), 1, Fraction(3, 2), 2]
    assert drop_in.converted(7, 60.0, 20.0) == [0, 3, 6]
    assert drop_in.converted(1, 24.0, 60.0) == [0]
    assert drop_in.held(2, 10.0, 20.0) == [0, Fraction(1, 2), 1, 1]
    assert drop_in.held(3, 24.0, 24.005) == [0, 1, 2]
    assert [len(drop_in.held(n, 30.0, 60.0)) for n in range(1, 40)] == [int(n / 30.0 * 60.0) for n in range(1, 40)]


def test_what_cannot_be_counted_gets_a_sentence(drop_in, run):
    images = torch.rand(3, 8, 8, 3)
    with pytest.raises(ValueError, match="3 frames were given: counting inner pairs needs 4 or more"):
        run("InbetweenDropIn", images=images, count="inner pairs")
    with pytest.raises(ValueError, match=r"make none at 0\.5: more frames are needed"):
        run("InbetweenDropIn", images=images, count="frame rate, last frame held", source_fps=30.0, target_fps=0.5)
    (pairs,) = run("InbetweenSkippedPairs", frames="9", skip=False)
    with pytest.raises(ValueError, match="every pair is skipped"):
        run("InbetweenDropIn", images=torch.rand(5, 8, 8, 3), count="inner pairs", pairs=pairs)
    for wrong in ("1,a", "-1", "1,,2", "", "²", "9" * 5000):
        with pytest.raises(ValueError, match=r"^frames holds"):
            run("InbetweenSkippedPairs", frames=wrong)


def test_the_network_that_was_meant_is_used_if_it_is_there(run, server, drop_in):
    images = torch.rand(2, 64, 64, 3)
    old = "IFRNet_L_Vimeo90K.pth"
    assert run("InbetweenDropIn", images=images, model_name=old)[1] == f"inbetween-m, in place of {old}"
    save_file(load_set("ifrnet/ifrnet_l").state(), server.folder / "IFRNet_L_Vimeo90K.safetensors")
    assert run("InbetweenDropIn", images=images, model_name=old)[1] == f"ifrnet-l, in place of {old}"
    (server.folder / "IFRNet_L_Vimeo90K.safetensors").rename(server.folder / "rife47.safetensors")
    assert run("InbetweenDropIn", images=images, model_name="rife47.pth")[1] == "rife47.safetensors, in place of rife47.pth"
    assert drop_in.meant("rife46.pth") == "auto"
    check = drop_in.DropIn.validate_inputs
    assert check(model_name="rife46.pth") is check(model_name=None) is True
    assert check(model_name="gone").startswith("no model is called 'gone'")
    with pytest.raises(ValueError, match=r"^no model is called 'gone'"):
        run("InbetweenDropIn", images=images, model_name="gone")


def test_options_that_a_network_lacks_do_not_stop_it(run):
    """RIFE VFI has them on by default."""
    images = torch.rand(2, 64, 64, 3)
    for scale, ensemble, used in (
        (1.0, False, "dis"),
        (1.0, True, "dis, without ensemble"),
        (0.35, True, "dis, without flow scale 0.35 and ensemble"),
        (2.0, False, "dis"),
    ):
        out, told = run("InbetweenDropIn", images=images, model_name="dis", ensemble=ensemble, flow_scale=scale)
        assert (len(out), told) == (3, used)


def test_a_damaged_file_is_still_refused(run, server):
    (server.folder / "mine.safetensors").write_bytes(b"no model")
    with pytest.raises(ValueError, match="is not a model"):
        run("InbetweenDropIn", images=torch.rand(2, 64, 64, 3), model_name="mine.safetensors", ensemble=True)
