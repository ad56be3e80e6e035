from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

OBJECT_INFO = Path(__file__).parents[1] / "browser" / "object_info.json"

STRAIGHT = {"v": 1, "size": [64, 48], "tracks": [{"pts": [[10, 20], [50, 30]]}, {"pts": [[5, 5]], "color": "#ff0000"}]}


def pictures(count: int = 1, value: float = 0.25) -> torch.Tensor:
    return torch.full((count, 48, 64, 3), value)


def test_the_browser_tests_show_this_very_node(nodes):
    schema = nodes["InbetweenTrackEditor"].define_schema()
    shown = json.loads(OBJECT_INFO.read_text(encoding="utf-8"))["InbetweenTrackEditor"]
    inputs = shown["input"]
    assert {part.id: part.io_type for part in schema.inputs if part.optional} == {
        k: v[0] for k, v in inputs["optional"].items()
    }
    wanted = {
        part.id: [part.io_type, {name: vars(part)[name] for name in ("default", "min", "max", "step") if name in vars(part)}]
        for part in schema.inputs
        if not part.optional
    }
    assert {name: [kind, {k: v for k, v in options.items() if v is not None}] for name, (kind, options) in wanted.items()} == {
        name: [kind, options] for name, (kind, options) in inputs["required"].items()
    }
    assert list(inputs["required"]) == shown["input_order"]["required"]
    assert [part.id for part in schema.outputs] == shown["output_name"]
    assert [part.io_type for part in schema.outputs] == shown["output"]
    assert schema.display_name == shown["display_name"]
    assert schema.is_output_node == shown["output_node"]


def test_the_drawing_widget_is_the_last(nodes):
    assert nodes["InbetweenTrackEditor"].define_schema().inputs[-1].id == "drawing"


def test_a_drawing_becomes_tracks_text_preview_and_influence(run):
    tracks, text, preview, influence = run("InbetweenTrackEditor", frames=5, first=pictures(), drawing=json.dumps(STRAIGHT))
    assert tracks["track_path"].shape == (5, 2, 2)
    torch.testing.assert_close(tracks["track_path"][:, 0, 0], torch.tensor([10.0, 20, 30, 40, 50]))
    assert tracks["track_visibility"].dtype == torch.bool
    assert tracks["track_visibility"].all()
    assert [[point["x"], point["y"]] for point in json.loads(text)[1]] == [[5, 5]] * 5
    assert preview.shape == (5, 48, 64, 3)
    assert preview[0, 5, 5].tolist() == [1, 0, 0]
    assert influence.shape == (5, 48, 64)
    assert influence[2, 25, 30] == 1


def test_tracks_are_brought_to_the_size_of_the_picture(run):
    twice = torch.zeros(1, 96, 128, 3)
    path = run("InbetweenTrackEditor", frames=2, last=twice, drawing=json.dumps(STRAIGHT))[0]["track_path"]
    torch.testing.assert_close(path[0, 0], torch.tensor([20.5, 40.5]))


@pytest.mark.parametrize("drawing", ["", " ", '{"v":1,"size":[64,48],"tracks":[]}'])
def test_nothing_drawn_is_no_tracks(run, drawing):
    tracks, text, preview, influence = run("InbetweenTrackEditor", frames=3, width=64, height=48, drawing=drawing)
    assert tracks["track_path"].shape == (3, 0, 2)
    assert text == "[]"
    assert preview.shape == (3, 48, 64, 3)
    assert not influence.any()


def test_the_preview_fades_from_the_first_of_one_clip_to_the_last_of_the_other(run):
    first, last = torch.cat((pictures(1, 0.2), pictures(1, 0.9))), torch.cat((pictures(1, 0.9), pictures(1, 0.6)))
    preview = run("InbetweenTrackEditor", frames=3, first=first, last=last, drawing="")[2]
    torch.testing.assert_close(preview.mean((1, 2, 3)), torch.tensor([0.2, 0.4, 0.6]))


def test_pictures_and_matches_are_shown_to_the_browser(nodes):
    path = torch.tensor([[[1.0, 2], [3, 4], [5, 6]], [[7, 8], [9, 9], [9, 9]]])
    matches = {"track_path": path, "track_visibility": torch.tensor([[True, True, True], [True, False, True]])}
    given = {"frames": 7, "width": 16, "height": 16, "radius": 4.0, "drawing": "", "first": pictures(), "matches": matches}
    told = nodes["InbetweenTrackEditor"].execute(**given).ui
    assert told["matches"] == [[1, 2, 7, 8], [5, 6, 9, 9]]
    assert (told["frames"], told["size"], told["last"]) == ([7], [64, 48], [])
    assert [entry["type"] for entry in told["first"]] == ["temp"]


def test_a_drawing_that_is_none_says_where(run):
    with pytest.raises(ValueError, match=r"tracks\[0\]\.pts"):
        run("InbetweenTrackEditor", drawing='{"v":1,"size":[64,48],"tracks":[{"pts":[]}]}')


def test_of_many_matches_some_are_shown_from_all_over(nodes):
    path = torch.arange(1000.0)[None, :, None].expand(2, -1, 2)
    matches = {"track_path": path, "track_visibility": torch.ones(2, 1000, dtype=torch.bool)}
    given = {"frames": 2, "width": 16, "height": 16, "radius": 4.0, "drawing": "", "matches": matches}
    shown = nodes["InbetweenTrackEditor"].execute(**given).ui["matches"]
    assert 200 <= len(shown) <= 400
    assert shown[-1][0] > 990
