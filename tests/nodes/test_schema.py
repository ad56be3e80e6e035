from __future__ import annotations

from pathlib import Path

HELP = Path(__file__).parents[2] / "js" / "docs"


def test_node_ids_are_for_ever(nodes):
    assert set(nodes) == {
        "InbetweenLoadModel",
        "InbetweenLoadSvdParts",
        "InbetweenConvertModel",
        "InbetweenInterpolate",
        "InbetweenInterpolateVideo",
        "InbetweenRetime",
        "InbetweenRetimeVideo",
        "InbetweenShutter",
        "InbetweenShutterVideo",
        "InbetweenLoop",
        "InbetweenLoopVideo",
        "InbetweenSteady",
        "InbetweenSteadyVideo",
        "InbetweenJoinClips",
        "InbetweenJoinVideos",
        "InbetweenTTA",
        "InbetweenConsensus",
        "InbetweenGuide",
        "InbetweenSpacingChart",
        "InbetweenTweenCharts",
        "InbetweenFindShots",
        "InbetweenFindDuplicates",
        "InbetweenFindFaults",
        "InbetweenHealClip",
        "InbetweenHealVideo",
        "InbetweenSplitFrames",
        "InbetweenJoinFrames",
        "InbetweenSelectFrames",
        "InbetweenReverseFrames",
        "InbetweenPingPong",
        "InbetweenFlowPicture",
        "InbetweenCompare",
        "InbetweenAudit",
        "InbetweenTrackEditor",
        "InbetweenMatchKeyframes",
        "InbetweenFollowPoints",
        "InbetweenEditTracks",
        "InbetweenDrawTracks",
        "InbetweenFramerLoader",
        "InbetweenFramerConditioning",
        "InbetweenFramerApplyTracks",
        "InbetweenCfgCurve",
        "InbetweenFramerTween",
        "InbetweenKeyframeSequence",
        "InbetweenPaintThrough",
        "InbetweenRepair",
        "InbetweenDynamiCrafterLoader",
        "InbetweenDynamiCrafterConditioning",
        "InbetweenSketchGuidance",
        "InbetweenDynamiCrafterDecode",
        "InbetweenDynamiCrafterTween",
        "InbetweenSvdkfiLoader",
        "InbetweenSvdkfiTween",
        "InbetweenVaceKeyframes",
        "InbetweenLtxKeyframes",
        "InbetweenLoadSheet",
        "InbetweenCels",
        "InbetweenExampleClip",
        "InbetweenExamplePicture",
        "InbetweenDropIn",
        "InbetweenSkippedPairs",
    }


def widgets(schema):
    """All inputs, with those that an option of a choice brings along."""
    for part in schema.inputs:
        yield part
        if part.io_type == "COMFY_DYNAMICCOMBO_V3":
            yield from (inner for option in part.options for inner in option.inputs)


def test_every_part_says_what_it_is(nodes):
    for name, node in nodes.items():
        schema = node.define_schema()
        assert schema.category.startswith("Inbetween/"), name
        assert schema.display_name, name
        assert schema.description.endswith("."), name
        assert schema.search_aliases, name
        for part in [*widgets(schema), *schema.outputs]:
            assert part.tooltip, f"{name}: {part.id} has no tooltip"
            assert part.tooltip.endswith((".", "?")), f"{name}: {part.id}"


def test_every_label_is_words(nodes):
    """What is shown: a display name, or an id that is a word."""
    for name, node in nodes.items():
        schema = node.define_schema()
        for part in [*widgets(schema), *schema.outputs]:
            growing = part.template.names if part.io_type == "COMFY_AUTOGROW_V3" else []
            for label in (part.display_name or part.id, *growing):
                assert "_" not in label, f"{name}: {label}"


def test_nodes_never_run_with_published_weights_are_experimental(nodes):
    told = {name for name, node in nodes.items() if node.define_schema().is_experimental}
    names = ("Framer", "Svdkfi", "CfgCurve", "Keyframe", "Repair", "Vace", "Ltx", "DynamiCrafter", "Sketch")
    assert told == {name for name in nodes if name.removeprefix("Inbetween").startswith(names)}


def test_no_node_needs_a_model_to_be_connected(nodes):
    for name, node in nodes.items():
        for one in node.define_schema().inputs:
            if one.io_type == "INBETWEEN_MODEL" and not one.id.startswith("model_"):
                assert one.optional, name


def test_every_node_has_a_help_page_that_names_its_parts(nodes):
    """Directly in the folder: ComfyUI looks for a page in a node's own folder only in its own language."""
    assert {page.stem for page in HELP.glob("*.md")} == set(nodes)
    for name, node in nodes.items():
        schema = node.define_schema()
        text = (HELP / f"{name}.md").read_text(encoding="utf-8")
        assert text.startswith(f"# {schema.display_name}\n")
        for part in [*widgets(schema), *schema.outputs]:
            assert f"`{part.display_name or part.id}`" in text, f"the help page of {name} does not mention {part.id}"


def test_the_door_offers_one_way_in(pack):
    assert pack.WEB_DIRECTORY == "./js"
    assert not hasattr(pack, "NODE_CLASS_MAPPINGS")
