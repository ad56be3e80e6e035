from __future__ import annotations

import json
import sys

import parity
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

from tests.matchers import xfeat_state


@pytest.fixture(scope="module")
def clip() -> torch.Tensor:
    """A texture that moves 3 pixels right and 1 down per frame: [6,H,W,3]."""
    torch.manual_seed(0)
    wide = F.interpolate(torch.rand(1, 3, 60, 80), (240, 320), mode="bicubic")[0].clamp(0, 1).movedim(0, -1)
    return torch.stack([wide[60 - k : 156 - k, 80 - 3 * k : 208 - 3 * k] for k in range(6)])


def given(path: list, visible: list | None = None) -> dict[str, torch.Tensor]:
    """TRACKS from nested lists [T][N][2]."""
    made = torch.tensor(path, dtype=torch.float32)
    return {
        "track_path": made,
        "track_visibility": torch.ones(made.shape[:2]).bool() if visible is None else torch.tensor(visible).bool(),
    }


def test_keyframes_are_matched(run, clip):
    tracks, matches, drawing, count = run("InbetweenMatchKeyframes", first=clip, last=clip, frames=7, count=4, apart=20.0)
    assert tracks["track_path"].shape == (7, 4, 2)
    assert tracks["track_visibility"].all()
    moved = tracks["track_path"][-1] - tracks["track_path"][0]
    assert (moved - torch.tensor([15.0, 5.0])).abs().max() < 0.5
    assert torch.pdist(tracks["track_path"][0]).min() >= 20
    assert matches["track_path"].shape[1] == count > 20
    assert [len(track["pts"]) for track in json.loads(drawing)["tracks"]] == [2] * 4


def test_matches_are_fewer_and_surer_as_asked(run, clip):
    counts = [
        run("InbetweenMatchKeyframes", first=clip[:1], last=clip[-1:], **options)[3]
        for options in ({"ratio": 0.4}, {"ratio": 0.95, "consistent": False})
    ]
    assert counts[0] < counts[1]
    even = torch.full((1, 64, 64, 3), 0.5)
    tracks, *_, count = run("InbetweenMatchKeyframes", first=even, last=even)
    assert (tracks["track_path"].shape, count) == ((25, 0, 2), 0)


@pytest.mark.parametrize("method", ["xfeat", "loftr"])
def test_a_matcher_without_weights_is_refused_while_a_workflow_is_queued(run, clip, nodes, method: str):
    node = nodes["InbetweenMatchKeyframes"]
    told = node.validate_inputs(method=method)
    assert told.startswith(f"{method} is not on disk: ")
    assert f"-m vfi models fetch {method}` in the folder" in told
    assert "Load Interpolation Model" not in told
    assert node.fingerprint_inputs(method=method, count=3).startswith(f"{method} is not on disk")
    with pytest.raises(ValueError, match=rf"{method} is not on disk: .*vfi models fetch {method}`"):
        run("InbetweenMatchKeyframes", first=clip, last=clip, method=method)
    assert node.validate_inputs(method="sift") is True
    assert node.validate_inputs(method=None) is True  # another node tells later
    assert node.fingerprint_inputs(method="sift") == "sift"


def test_a_matcher_that_is_none_is_refused(run, clip, nodes):
    assert nodes["InbetweenMatchKeyframes"].validate_inputs(method="surf") == (
        "method is 'surf': one of sift, loftr, xfeat is needed"
    )
    with pytest.raises(ValueError, match="method is 'surf': one of sift, loftr, xfeat is needed"):
        run("InbetweenMatchKeyframes", first=clip, last=clip, method="surf")


def test_xfeat_reads_its_weights_from_the_folder_of_models(run, clip, nodes, server):
    if not hasattr(pytest.importorskip("kornia.feature"), "XFeat"):
        pytest.skip("kornia 0.9 is needed")
    save_file(xfeat_state(), server.folder / "xfeat.safetensors")
    node = nodes["InbetweenMatchKeyframes"]
    assert node.validate_inputs(method="xfeat") is True
    assert "xfeat.safetensors " in node.fingerprint_inputs(method="xfeat")
    noise = torch.rand(1, 64, 96, 3, generator=torch.Generator().manual_seed(0))
    tracks, matches, _, count = run(
        "InbetweenMatchKeyframes", first=noise, last=noise, method="xfeat", count=4, apart=4.0, consistent=False
    )
    assert count == matches["track_path"].shape[1] >= 10
    assert tracks["track_path"].shape[1] == 4
    assert torch.equal(tracks["track_path"][0], tracks["track_path"][-1])


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_points_are_followed_from_where_tracks_start(run, clip, server, channels):
    images = torch.cat((clip, clip[..., :1] * 0 + 1), dim=-1)[..., :channels] if channels > 1 else clip[..., :1]
    start = given([[[40.0, 40.0], [60.5, 50.0]], [[0.0, 0.0], [0.0, 0.0]]])
    tracks, drawing, count = run("InbetweenFollowPoints", images=images, start=start)
    truth = start["track_path"][0] + torch.arange(6)[:, None, None] * torch.tensor([3.0, 1.0])
    assert (tracks["track_path"] - truth).abs().max() < 0.2
    assert (tracks["track_path"].dtype, count) == (torch.float32, 2)
    assert len(json.loads(drawing)["tracks"]) == 2
    assert server.progress[-1] == (6, 6)


def test_points_are_chosen_and_follow_a_model(run, clip):
    (model,) = run("InbetweenLoadModel", model="dis")
    tracks, _, count = run("InbetweenFollowPoints", images=clip, model=model, count=5, apart=16.0)
    assert tracks["track_path"].shape == (6, 5, 2)
    seen = tracks["track_visibility"][-1]
    assert count == int(seen.sum()) >= 3
    assert ((tracks["track_path"][-1] - tracks["track_path"][0])[seen] - torch.tensor([15.0, 5.0])).abs().max() < 1.5
    (linear,) = run("InbetweenLoadModel", model="linear")
    with pytest.raises(ValueError, match="linear does not estimate motion"):
        run("InbetweenFollowPoints", images=clip, model=linear)


def test_text_becomes_tracks_and_tracks_text(run):
    text = '[[{"x": 0, "y": 0}, {"x": 8, "y": 4}], [{"x": 1, "y": 1}, {"x": 1, "y": 1}]]'
    tracks, coordinates, drawing, frames, count, points = run("InbetweenEditTracks", text=text)
    assert tracks["track_path"].tolist() == [[[0, 0], [1, 1]], [[8, 4], [1, 1]]]
    assert json.loads(coordinates) == json.loads(text)
    assert (frames, count) == (2, 2)
    assert json.loads(points) == [[[0, 0], [8, 4]], [[1, 1]]]
    for same in (drawing, points):
        again, *_ = run("InbetweenEditTracks", text=same, frames=2)
        assert torch.equal(again["track_path"], tracks["track_path"])
    assert torch.equal(run("InbetweenEditTracks", tracks=tracks)[0]["track_path"], tracks["track_path"])


def test_tracks_are_moved_reversed_resampled_and_scaled(run):
    tracks = given([[[0.0, 0.0]], [[10.0, 20.0]]], [[True], [False]])
    edited, *_, frames, _, _ = run(
        "InbetweenEditTracks", tracks=tracks, width=32, height=32, frames=3, reverse=True, move_x=1.5, to_width=64
    )
    assert frames == 3
    assert edited["track_path"][:, 0].tolist() == [[23.5, 20], [13.5, 10], [3.5, 0]]
    assert edited["track_visibility"].flatten().tolist() == [False, False, True]


def test_tracks_are_joined(run):
    one, two = given([[[0.0, 0.0]], [[2.0, 2.0]]]), given([[[5.0, 5.0]], [[6.0, 6.0]], [[7.0, 7.0]]])
    beside = run("InbetweenEditTracks", tracks=one, more=two, text="[[[9, 9]]]")[0]
    assert beside["track_path"].tolist() == [[[0, 0], [5, 5], [9, 9]], [[2, 2], [7, 7], [9, 9]]]
    after = run("InbetweenEditTracks", tracks=one, more=two, join="after")[0]
    assert after["track_path"].flatten().tolist() == [0, 0, 2, 2, 5, 5, 6, 6, 7, 7]


@pytest.mark.parametrize(
    ("inputs", "said"),
    [
        ({}, "no tracks were given"),
        ({"text": "[[[1, 2], [3, 4]]]"}, "a drawing has no frame count"),
        ({"text": '[[{"x": 1}]]'}, "track 0, point 0"),
        ({"text": "[["}, "line 1 column"),
        ({"tracks": {"track_path": torch.zeros(3, 2)}}, "track_path has the shape"),
    ],
)
def test_what_is_no_tracks_says_so(run, inputs, said):
    with pytest.raises(ValueError, match=said):
        run("InbetweenEditTracks", **inputs)


def test_tracks_are_drawn(run, server):
    tracks = given([[[10.0, 20.0]], [[30.0, 20.0]], [[50.0, 20.0]]])
    (plain,) = run("InbetweenDrawTracks", tracks=tracks, width=64, height=48)
    assert plain.shape == (3, 48, 64, 3)
    assert (plain[0, 20, 40] != plain[0, 5, 5]).any()
    assert server.progress[-1] == (3, 3)
    (trail,) = run("InbetweenDrawTracks", tracks=tracks, images=torch.zeros(1, 48, 64, 3), style="trail")
    assert trail[0, 20, 40].tolist() == [0, 0, 0]
    assert trail[2, 20, 35].sum() > 0
    (dots,) = run("InbetweenDrawTracks", tracks=tracks, images=torch.zeros(5, 48, 64, 1), style="dots")
    assert dots.shape == (5, 48, 64, 3)
    assert dots[1, 20, 20].sum() > 0  # the clip has more frames than the tracks
    assert dots[1, 20, 50].sum() == 0


def test_arrows_and_thickness_show(run):
    tracks = given([[[10.0, 24.0]], [[50.0, 24.0]]])
    black = torch.zeros(1, 48, 64, 3)
    areas = [
        int((run("InbetweenDrawTracks", tracks=tracks, images=black, **options)[0][0] > 0).any(-1).sum())
        for options in ({"arrows": False}, {"arrows": True}, {"arrows": True, "thickness": 3})
    ]
    assert areas == sorted(set(areas))


def test_nothing_is_drawn_where_a_point_is_not_seen(run):
    tracks = given([[[10.0, 20.0]], [[30.0, 20.0]], [[50.0, 20.0]]], [[True], [False], [False]])
    (drawn,) = run("InbetweenDrawTracks", tracks=tracks, images=torch.zeros(1, 48, 64, 3))
    assert drawn[0, 20, 10].sum() > 0
    assert not drawn[:, :, 25:].any()


def test_heat_maps_are_framers(run):
    tracks = given([[[64.0, 32.0]], [[200.0, 32.0]]])
    (maps,) = run("InbetweenDrawTracks", tracks=tracks, style="heat-map", width=128, height=64)
    assert maps.shape == (2, 64, 128, 3)
    assert maps[0, 32, 64].tolist() == pytest.approx([254 / 255] * 3)
    assert maps.max() <= 1
    assert maps[0, 32, 72, 0] == pytest.approx(0.573, abs=0.01)  # a standard deviation away
    assert not maps[1].any()


@pytest.mark.parametrize(("form", "name"), [("JSON", "tracks_{}.json"), ("ATI", "tracks_{}.npz"), ("Wan-Move", "tracks_{}")])
def test_tracks_are_written_to_files_and_read_again(run, server, form: str, name: str):
    text = "[[[1, 2], [5, 8], [9, 9.5]], [[30, 20]]]"
    for number in ("00001", "00002"):  # nothing is overwritten
        tracks, *_ = run("InbetweenEditTracks", text=text, frames=121, width=32, height=24, save_as=form)
        assert (server.output / name.format(number)).exists()
    written = server.output / name.format("00002")
    for file in written.iterdir() if written.is_dir() else [written]:
        file.rename(server.input / file.name)
    file = "track.npy" if form == "Wan-Move" else written.name
    again, *_ = run("InbetweenEditTracks", text="", file=file, width=32, height=24)
    torch.testing.assert_close(again["track_path"], tracks["track_path"], atol=1 / 16 + 1e-6, rtol=0)
    assert torch.equal(again["track_visibility"], tracks["track_visibility"])


def test_only_files_of_the_input_folder_are_read(run, server, tmp_path):
    (tmp_path / "secret.json").write_text("[[[1, 2]]]")
    with pytest.raises(ValueError, match=r"file is '\.\./\.\./secret\.json': one of none is needed"):
        run("InbetweenEditTracks", text="", file="../../secret.json")


def test_cancel_is_heard_between_tracks(run, server):
    text = json.dumps([[[1, 1], [2, 2]]] * 50)
    server.interrupt_at = 3
    with pytest.raises(server.Interrupted):
        run("InbetweenEditTracks", text=text, frames=9)


@pytest.fixture
def small(part, server, monkeypatch):
    """A small network in ComfyUI's folder, which passes for a published one."""
    tracking = part("vfi.motion.alltracker")
    state = parity.load_set("alltracker/small").state()
    monkeypatch.setitem(tracking.PUBLISHED, "alltracker", tracking.configure(state))
    save_file(state, server.folder / "alltracker.safetensors")
    return tracking.build(state)


def test_points_are_followed_by_alltracker(run, part, clip, server, small):
    start = given([[[40.0, 40.0], [60.0, 50.0]]])
    tracks, drawing, count = run("InbetweenFollowPoints", images=clip, start=start, tracker="alltracker")
    places = list(part("vfi.motion.trackers").trail(small, clip.movedim(-1, 1), start["track_path"][0]))
    torch.testing.assert_close(tracks["track_path"], torch.stack([place.xy for place in places]).float())
    assert count == int(tracks["track_visibility"][-1].sum())
    assert len(json.loads(drawing)["tracks"]) == 2
    assert server.progress[-1] == (6, 6)


def test_points_of_any_frame_are_followed_to_both_ends(run, part, clip, small):
    start = given([[[40.0, 40.0], [60.0, 50.0]]])
    tracks, _, count = run("InbetweenFollowPoints", images=clip, start=start, frame=4)
    truth = start["track_path"][0] + torch.arange(-4, 2)[:, None, None] * torch.tensor([3.0, 1.0])
    assert (tracks["track_path"] - truth).abs().max() < 0.2
    assert count == 2
    tracks, *_ = run("InbetweenFollowPoints", images=clip, start=start, frame=4, tracker="alltracker")
    found = part("vfi.motion.trackers").track(small, clip.movedim(-1, 1), start["track_path"][0], 4)
    torch.testing.assert_close(tracks["track_path"], found.xy.float())
    chosen, *_ = run("InbetweenFollowPoints", images=clip, count=3, frame=5)
    assert chosen["track_visibility"][5].all()
    with pytest.raises(ValueError, match="frame is 6: the clip has frames 0 to 5"):
        run("InbetweenFollowPoints", images=clip, start=start, frame=6)


@pytest.mark.parametrize("tracker", ["auto", "lk", "dis"])
def test_points_are_followed_without_weights(run, clip, tracker):
    start = given([[[40.0, 40.0], [60.5, 50.0]]])
    tracks, _, count = run("InbetweenFollowPoints", images=clip, start=start, tracker=tracker)
    truth = start["track_path"][0] + torch.arange(6)[:, None, None] * torch.tensor([3.0, 1.0])
    assert (tracks["track_path"] - truth).abs().max() < (1.5 if tracker == "dis" else 0.2)
    assert count == 2
    (model,) = run("InbetweenLoadModel", model="dis")
    if tracker != "auto":
        with pytest.raises(ValueError, match=f"a model is connected and the tracker is {tracker}: choose auto"):
            run("InbetweenFollowPoints", images=clip, model=model, tracker=tracker)


def test_a_tracker_without_weights_is_told_before_anything_runs(run, part, clip, server):
    judge = part("nodes.track_tools").FollowPoints.validate_inputs
    for tracker in (None, "auto", "lk", "dis"):
        assert judge(tracker=tracker) is True
    assert judge() is True  # a workflow that was saved before there was a choice
    told = judge(tracker="alltracker")
    assert "alltracker is not on disk" in told
    assert f'`"{sys.executable}" -m vfi models fetch alltracker` in the folder' in told
    assert "Load Interpolation Model" not in told  # which makes frames
    assert judge(tracker="cotracker") == ("tracker is 'cotracker': one of auto, lk, dis, alltracker, alltracker-tiny is needed")
    for tracker in ("alltracker", "cotracker"):
        with pytest.raises(ValueError, match=r"alltracker"):
            run("InbetweenFollowPoints", images=clip, tracker=tracker)
    save_file({"weight": torch.zeros(1)}, server.folder / "alltracker.safetensors")
    assert judge(tracker="alltracker") is True
    with pytest.raises(ValueError, match="holds no alltracker"):
        run("InbetweenFollowPoints", images=clip, tracker="alltracker")


def test_trackers_are_no_models_of_frames(part, server, small):
    load = part("nodes.load")
    assert not [choice for choice in load.choices() if "alltracker" in choice]
    assert not [row for row in part("nodes.picker").rows() if "alltracker" in row.name]
    with pytest.raises(ValueError, match="not a known frame-interpolation network"):
        load.opened("alltracker.safetensors")
