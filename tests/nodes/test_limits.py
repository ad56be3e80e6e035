"""Every node refuses what its schema does not allow, whoever sends it: a prompt and a linked value know no widgets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

CHOICE, GROUP = "COMFY_DYNAMICCOMBO_V3", "COMFY_AUTOGROW_V3"


def usable(one: Any) -> Any:
    """A value that an input takes; sockets get anything, since no node must look at them before its numbers are checked."""
    made = {
        "INT": one.default,
        "FLOAT": one.default,
        "BOOLEAN": True,
        "STRING": "",
        "INBETWEEN_DRAWN_TRACKS": "",
        "INBETWEEN_DRAWN_CHARTS": "",
        "IMAGE": torch.zeros(1, 4, 4, 3),
        "MASK": torch.zeros(1, 4, 4),
        "AUDIO": {"waveform": torch.zeros(1, 1, 8), "sample_rate": 8000},
        "TRACKS": {},
        CHOICE: None,
    }
    if one.io_type == GROUP:
        return {name: usable(one.template.input) for name in one.template.names[: one.template.min]}
    if one.io_type == CHOICE:
        return choice(one, one.options[0])
    if one.io_type == "COMBO":
        return one.default or next(iter(one.options), "none")
    return made.get(one.io_type, object())


def choice(one: Any, option: Any) -> dict[str, Any]:
    return {one.id: option.key, **{inner.id: usable(inner) for inner in option.inputs}}


def given(schema: Any, **changed: Any) -> dict[str, Any]:
    values = {one.id: usable(one) for one in schema.inputs} | changed
    if not schema.is_input_list:
        return values
    grow = {one.id for one in schema.inputs if one.io_type == GROUP}
    return {
        name: {socket: [each] for socket, each in value.items()} if name in grow and isinstance(value, dict) else [value]
        for name, value in values.items()
    }


def places(schema: Any) -> Iterator[tuple[Any, Any]]:
    """Each input of a schema, those within choices too, and a function from its value to the values of the node."""
    for one in schema.inputs:
        yield one, lambda value, one=one: given(schema, **{one.id: value})
        if one.io_type == CHOICE:
            for option in one.options:
                for inner in option.inputs:
                    yield (
                        inner,
                        lambda value, one=one, option=option, inner=inner: given(
                            schema, **{one.id: choice(one, option) | {inner.id: value}}
                        ),
                    )


def numeric(nodes: dict[str, type]) -> Iterator[tuple[str, type, Any, Any]]:
    for name, node in nodes.items():
        for one, filled in places(node.define_schema()):
            if one.io_type in ("INT", "FLOAT"):
                yield name, node, one, filled


def test_every_node_is_behind_the_fence(nodes, part):
    for name, node in nodes.items():
        assert issubclass(node, part("nodes.node").Node), name
        assert node.execute.__func__.guarded, name


def test_every_number_has_limits_and_none_beyond_them_reaches_a_node(nodes, part, server):
    (server.folder / "one.safetensors").touch()  # without any file, a loader's first input would be refused
    refused = part("vfi.core").InputError
    tried = 0
    for name, node, one, filled in numeric(nodes):
        step = 1 if one.io_type == "INT" else 1e-6
        wrong = [one.min - step, one.max + max(step, abs(one.max) * 1e-9), float("nan"), float("inf"), -float("inf")]
        wrong += [10**400, -(10**400), "2", "nan", True, [2], {"x": 2}, b"2", 2j, torch.tensor(2.0)]
        if one.io_type == "INT":
            wrong += [float(one.default), one.default + 0.5]
        if not one.optional:
            wrong.append(None)
        for value in wrong:
            with pytest.raises(refused) as told:
                node.execute(**filled(value))
            text = str(told.value)
            assert text.startswith(f"{one.display_name or one.id} "), (name, value, text)
            assert "number from " in text, (name, value, text)
            assert len(text) < 300, (name, value)
            tried += 1
    assert tried > 1500


def test_all_that_lies_within_the_limits_passes(nodes, part, server):
    (server.folder / "one.safetensors").touch()  # without any file, a loader's first input would be refused
    checked = part("nodes.node").checked
    for name, node, one, filled in numeric(nodes):
        schema = node.define_schema()
        for value in (one.min, one.max, one.default):
            taken = checked(schema.inputs, filled(value), lists=node.LISTS if schema.is_input_list else None)
            assert taken.keys() == filled(value).keys(), (name, one.id)


def test_every_other_widget_refuses_what_it_does_not_offer(nodes, part, server):
    (server.folder / "one.safetensors").touch()  # without any file, a loader's first input would be refused
    refused = part("vfi.core").InputError
    wrong = {
        "BOOLEAN": [0, 1, "true", 0.5, [True]],
        "STRING": [3, b"text", ["text"], "x" * (2**24 + 1)],
        "INBETWEEN_DRAWN_TRACKS": [3, {}, ["text"]],
        "INBETWEEN_DRAWN_CHARTS": [3, {}, ["text"]],
        "COMBO": ["no such option", 3, ["a"], {}, "../../etc/passwd", float("nan")],
        CHOICE: ["no such option", {}, {"other": 1}, 3],
        GROUP: [[], 3, {}, {"one_0": None}, {f"one_{k}": 1 for k in range(101)}],
        "IMAGE": [3, np.zeros((1, 4, 4, 3)), [torch.zeros(1)]],
        "MASK": [3, "mask"],
        "TRACKS": [3, "tracks", []],
    }
    seen = set()
    for name, node in nodes.items():
        for one, filled in places(node.define_schema()):
            for value in wrong.get(one.io_type, ()):
                own = {"InbetweenLoadModel": ("model",), "InbetweenDropIn": ("model_name",)}
                judged = one.id in own.get(name, ()) and isinstance(value, str)
                # its own check takes models that are not among the options: they went or came since
                with pytest.raises(refused, match="no such|passwd" if judged else f"^{one.display_name or one.id} "):
                    node.execute(**filled(value))
                seen.add(one.io_type)
    assert seen == wrong.keys()


def test_a_model_that_is_none_is_refused_by_its_own_check(run):
    with pytest.raises(ValueError, match="no model is called"):
        run("InbetweenLoadModel", model="../../etc/passwd")


def test_numbers_of_numpy_are_numbers(part, nodes):
    schema = nodes["InbetweenInterpolate"].define_schema()
    checked = part("nodes.node").checked
    for rate in (np.float32(24), np.float64(24), np.int64(24), 24):
        taken = checked(schema.inputs, given(schema, source_fps=rate, mode={"mode": "times", "times": np.int64(3)}))
        assert (taken["source_fps"], type(taken["source_fps"])) == (24.0, float)
        assert type(taken["mode"]["times"]) is int


def test_a_choice_passes_on_only_what_belongs_to_it(part, nodes):
    """A value of another option was never checked against limits."""
    schema = nodes["InbetweenRetime"].define_schema()
    curve = {"curve": "position", "position": "0:0, 1:1", "start": float("nan"), "fastest": "x"}
    assert part("nodes.node").checked(schema.inputs, given(schema, curve=curve))["curve"] == {
        "curve": "position",
        "position": "0:0, 1:1",
    }


def test_what_a_choice_needs_must_be_there(run, part):
    with pytest.raises(part("vfi.core").InputError, match=r"^times was not given: a whole number from 1 to 256 is needed$"):
        run("InbetweenInterpolate", model=object(), images=torch.zeros(2, 4, 4, 3), mode={"mode": "times"})


def test_a_curve_that_is_none_gets_a_sentence(run, part):
    (model,) = run("InbetweenLoadModel", model="linear")
    for raw in (3, {}, {"points": [1, 2]}, [(0.0,)], {"points": None}):
        curve = {"curve": "drawn position", "position_curve": raw}
        with pytest.raises(part("vfi.core").InputError, match="points with an x and a y each are needed"):
            run("InbetweenRetime", model=model, images=torch.zeros(2, 4, 4, 3), curve=curve)


@pytest.fixture
def little(part, monkeypatch) -> None:
    """A machine with 100 kB of free memory."""
    monkeypatch.setattr(part("vfi.render.memory"), "free", lambda: 10**5)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("InbetweenReverseFrames", {}),
        ("InbetweenPingPong", {}),
        ("InbetweenSelectFrames", {"select": {"select": "list", "frames": "0-4, 4-0"}}),
        ("InbetweenFlowPicture", {"model": object()}),
        ("InbetweenRepair", {}),
    ],
)
def test_nodes_of_batches_ask_for_room_before_they_work(nodes, part, name: str, options: dict[str, Any]):
    schema = nodes[name].define_schema()
    images = torch.zeros(6, 64, 64, 3)
    extra = {"doubt": torch.zeros(1, 64, 64)} if name == "InbetweenRepair" else options
    with pytest.raises(part("vfi.core").InputError, match=r"\d+ frames of 64x64 take 0\.\d GB"):
        nodes[name].execute(**given(schema, images=images, **extra))


@pytest.mark.usefixtures("little")
def test_joined_chunks_ask_for_room(run, part):
    with pytest.raises(part("vfi.core").InputError, match="11 frames of 64x64 take"):
        run("InbetweenJoinFrames", chunks=[torch.zeros(6, 64, 64, 3)] * 2)


@pytest.mark.usefixtures("little")
@pytest.mark.parametrize("name", ["InbetweenFramerTween", "InbetweenKeyframeSequence", "InbetweenSvdkfiTween"])
def test_drawn_clips_ask_for_room(nodes, part, name: str):
    schema = nodes[name].define_schema()
    pictures = {one.id: torch.rand(2, 64, 64, 3) for one in schema.inputs if one.io_type == "IMAGE"}
    values = {key: value for key, value in given(schema, **pictures).items() if key != "tracks"}
    with pytest.raises(part("vfi.core").InputError, match="memory are free"):
        nodes[name].execute(**values)


@pytest.mark.usefixtures("little")
def test_many_tracks_ask_for_room(run, part):
    tracks = [[[1, 1], [2, 2]]] * 20000
    with pytest.raises(part("vfi.core").InputError, match=r"20000 tracks of 4096 frames take 41\.0 GB"):
        run("InbetweenEditTracks", text=json.dumps(tracks), frames=4096)
    with pytest.raises(part("vfi.core").InputError, match="100 tracks of 4096 frames take"):
        run("InbetweenTrackEditor", drawing=json.dumps(tracks[:100]), frames=4096)


def test_a_list_of_frames_is_bounded(run, part):
    """Before it is built: ten ranges of the longest clip are a short text."""
    images = torch.zeros(1).expand(100_000, 1, 1, 3)
    with pytest.raises(part("vfi.core").InputError, match="more than 1000000 frames"):
        run("InbetweenSelectFrames", images=images, select={"select": "list", "frames": "0-99999 " * 1000})


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("InbetweenReverseFrames", {}),
        ("InbetweenPingPong", {}),
        ("InbetweenSelectFrames", {"select": {"select": "list", "frames": "0-3"}}),
        ("InbetweenSplitFrames", {"size": 2}),
    ],
)
def test_a_cancel_is_heard_between_frames(run, server, name: str, options: dict[str, Any]):
    server.interrupt_at = 0
    with pytest.raises(server.Interrupted):
        run(name, images=torch.zeros(5, 4, 4, 3), **options)
    server.interrupt_at = None
    run(name, images=torch.zeros(5, 4, 4, 3), **options)


def test_a_cancel_is_heard_while_tracks_are_written(part, server):
    formats, tracks = part("vfi.tracks.formats"), part("vfi.tracks")
    drawn = tracks.Document((64, 48), tuple(tracks.Track((tracks.Point(k, 1), tracks.Point(2, 2))) for k in range(9)))
    for form in ("document", "samples", "store", "framer"):
        passed = []

        def watch(items, passed=passed):
            for item in items:
                if len(passed) == 4:
                    raise server.Interrupted
                passed.append(item)
                yield item

        with pytest.raises(server.Interrupted):
            formats.dumps(drawn, form, frames=5, watch=watch)
        assert len(passed) == 4, form
        assert json.loads(formats.dumps(drawn, form, frames=5)), form
