from __future__ import annotations

import io
import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st
from safetensors.torch import load_file

from vfi.core import InputError
from vfi.tracks import Document, Point, Track, Tracks, arrays, curves, formats, instants
from vfi.tracks.easing import EASES, backwards, eased
from vfi.tracks.heatmap import heatmaps, template
from vfi.tracks.refresh import anchored, found

DATA = Path(__file__).parents[1] / "data"
FIXTURE = json.loads((DATA / "tracks" / "documents.json").read_text(encoding="utf-8"))
SIZE = (512, 320)


def framer(name: str) -> dict[str, torch.Tensor]:
    return load_file(DATA / "parity" / "framer" / f"{name}.safetensors")


def drawn(*points: tuple, **options) -> Track:
    return Track(tuple(Point(*point) for point in points), **options)


def sampled(path: list, visible: list | None = None, size=SIZE) -> Tracks:
    """Tracks of nested lists [T][N][2]."""
    made = torch.tensor(path, dtype=torch.float64)
    seen = torch.ones(made.shape[:2]) if visible is None else torch.tensor(visible)
    return Tracks(made, seen.bool(), size)


def same(left: Tracks, right: Tracks) -> bool:
    return torch.allclose(left.path, right.path.to(left.path)) and torch.equal(left.visible, right.visible)


# The document, which js/track_math.js reads too.


@pytest.mark.parametrize("case", FIXTURE["cases"], ids=lambda case: case["name"])
def test_documents_are_sampled_as_stored(case):
    document = Document.of_data(case["doc"])
    tracks = document.sampled(case["frames"])
    assert torch.allclose(tracks.path.transpose(0, 1).flatten(), torch.tensor(case["path"]).double().flatten(), atol=1e-6)
    assert tracks.visible.T.int().tolist() == case["visible"]
    assert [track.times for track in document.tracks] == [pytest.approx(times) for times in case["times"]]
    assert Document.from_json(document.to_json()) == document
    for change, key in ((document.reversed(), "reversed"), (document.scaled((640, 100)), "scaled")):
        if key in case:
            got = change.sampled(case["frames"]).path.transpose(0, 1).flatten()
            assert torch.allclose(got, torch.tensor(case[key]).double().flatten(), atol=1e-6)


@pytest.mark.parametrize("row", FIXTURE["malformed"], ids=lambda row: row["error"][:40])
def test_a_malformed_document_says_where(row):
    with pytest.raises(InputError) as caught:
        Document.of_data(row["doc"])
    assert str(caught.value) == row["error"]


def test_the_browser_computes_the_same():
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node: js/track_math.js is not compared with vfi/tracks")
    files = sorted(str(path) for path in (Path(__file__).parents[1] / "js").glob("*.test.mjs"))
    done = subprocess.run([node, "--test", *files], capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr


def test_text_that_is_no_json_names_the_line():
    with pytest.raises(InputError, match=r"not valid JSON: .*line 2 column"):
        Document.from_json('{"v": 1,\n "size": [8, ]}')
    with pytest.raises(InputError, match="not valid JSON"):
        Document.from_json("[" * 100_000)


@pytest.mark.parametrize("interp", ["catmull", "linear", "pchip"])
@pytest.mark.parametrize("ease", [*EASES, (0.2, -0.5, 0.7, 1.4)])
def test_points_are_passed_at_their_times(interp, ease):
    points = [(10, 20, 0.1), (60, 5, 0.25), (90, 90, 0.7), (15, 33, 1.0)]
    track = drawn(*points, interp=interp, ease=ease)
    assert torch.allclose(track.at(torch.tensor([point[2] for point in points])), torch.tensor(points)[:, :2].double())
    assert torch.allclose(track.at(torch.tensor([0.0, 0.05])), torch.tensor([[10.0, 20.0]]).double())


def test_a_smooth_curve_keeps_its_shape_whatever_its_timing():
    places = [(0, 0), (60, 5), (70, 90), (150, 33)]
    even, late = drawn(*places), drawn(places[0], (*places[1], 0.7), *places[2:])
    dense = [track.at(torch.linspace(0, 1, 2001)) for track in (even, late)]
    assert torch.cdist(*dense).min(1).values.max() < 0.3
    assert (dense[0] - dense[1]).norm(dim=1).max() > 20


def test_a_curve_stays_between_two_points_where_it_is_monotone_and_has_no_loops_where_it_is_smooth():
    points = torch.tensor([(0, 0), (100, 0), (101, 1), (200, 80)]).double()
    times = torch.linspace(0, 1, 4).double()
    at = torch.linspace(0, 1, 301).double()
    monotone = curves.along(curves.chain(points, times, "pchip"), times, at)
    assert (monotone.diff(dim=0) >= -1e-9).all()
    smooth = curves.along(curves.chain(points, times, "catmull"), times, at)
    steps = smooth.diff(dim=0)
    assert ((steps[:-1] * steps[1:]).sum(1) >= 0).all()  # it never turns back within a step


@pytest.mark.parametrize("ease", [*EASES, (0.2, -0.5, 0.7, 1.4), (1.0, 0.0, 0.0, 1.0), (0.0, 1.0, 1.0, 0.0)])
def test_easings_start_and_end_on_time_and_run_backwards(ease):
    u = torch.linspace(0, 1, 101).double()
    assert eased(ease, u)[[0, -1]].tolist() == [0, 1]
    assert torch.allclose(1 - eased(ease, 1 - u), eased(backwards(ease), u), atol=1e-4)


def test_easings_are_those_of_css():
    u = torch.tensor([0.25, 0.5, 0.75]).double()
    s = 0.5
    x, y = 3 * s * 0.25 * 0.42 + 3 * 0.25 * s + s**3, 3 * 0.25 * s + s**3
    assert eased("in", torch.tensor([x]).double()).item() == pytest.approx(y)
    assert (eased("in", u) < u).all()
    assert (eased("out", u) > u).all()
    assert eased("inout", u)[1].item() == pytest.approx(0.5)


def test_documents_are_joined_at_one_size_with_ids_of_their_own():
    one = Document((100, 50), (drawn((1, 2)), drawn((3, 4), id="2")))
    other = Document((200, 100), (drawn((9, 9), id="2"), drawn((9, 9), id="free")))
    joined = one.beside(other)
    assert [track.id for track in joined.tracks] == ["1", "2", "3", "free"]
    assert joined.tracks[2].points[0].x == (9 + 0.5) / 2 - 0.5


@pytest.mark.parametrize("tolerance", [0.0, 0.5, 3.0])
def test_tracks_become_a_document_within_the_tolerance(tolerance):
    t = instants(40)
    wave = torch.stack((t * 300, 100 + 40 * torch.sin(t * 7)), dim=1)
    still = torch.tensor((7.0, 8.0)).double().expand(40, 2)
    visible = torch.ones(40, 3).bool()
    visible[:5, 0] = visible[30:, 0] = visible[:, 2] = False
    tracks = Tracks(torch.stack((wave, still, wave), dim=1), visible, SIZE)
    document = Document.through(tracks, tolerance)
    again = document.sampled(40)
    assert (again.path[5:30, 0] - wave[5:30]).norm(dim=1).max() <= tolerance + 1e-9
    assert torch.equal(again.visible, visible[:, :2])
    assert len(document.tracks[1].points) == 1
    assert not document.tracks[2].on
    assert len(document.tracks[0].points) in (range(24, 26) if tolerance == 0 else range(4, 20))
    with pytest.raises(InputError, match="tolerance of -1"):
        Document.through(tracks, -1)


# Tracks at frames.


def test_tracks_between_frames():
    tracks = sampled([[[0, 0], [1, 1]], [[10, 0], [1, 1]], [[10, 20], [1, 1]]], [[1, 1], [1, 0], [0, 1]])
    got = tracks.at([0, 0.25, 0.5, 0.75, 1])
    assert got.path[:, 0].tolist() == [[0, 0], [5, 0], [10, 0], [10, 10], [10, 20]]
    assert got.visible.int().tolist() == [[1, 1], [1, 0], [1, 0], [0, 0], [0, 1]]
    assert same(got.resampled(3), tracks)
    assert sampled([[[3, 4]]]).resampled(4).path.tolist() == [[[3, 4]]] * 4


@pytest.mark.parametrize("frames", [2, 7, 14, 81, 121])
def test_resampling_keeps_what_is_seen_at_frames_of_its_own(frames):
    visible = torch.rand(frames, 5) > 0.5
    tracks = Tracks(torch.rand(frames, 5, 2), visible, SIZE)
    finer = tracks.resampled(3 * (frames - 1) + 1)
    assert torch.equal(finer.visible[::3], visible)
    assert torch.allclose(finer.path[::3], tracks.path)


def test_tracks_are_scaled_turned_round_and_joined():
    tracks = sampled([[[0, 0]], [[511, 319]]], [[1], [0]])
    double = tracks.scaled((1024, 640))
    assert double.path.flatten().tolist() == [0.5, 0.5, 1022.5, 638.5]
    assert double.size == (1024, 640)
    assert same(double.scaled(SIZE), tracks)
    assert tracks.reversed().visible.flatten().tolist() == [False, True]
    assert tracks.moved((1, -1)).path[0].tolist() == [[1, -1]]
    both = tracks.beside(double.resampled(5))
    assert (both.frames, both.count) == (2, 2)
    assert same(both.select([1]), tracks)
    assert same(both.select(torch.tensor([False, True])), tracks)
    assert same(tracks.then(double), sampled([[[0, 0]], [[511, 319]]] * 2, [[1], [0]] * 2))
    with pytest.raises(InputError, match="2 tracks were given to follow 1"):
        tracks.then(both)


@pytest.mark.parametrize(
    ("path", "visible", "size", "said"),
    [
        (torch.zeros(2, 3), torch.ones(2, 3).bool(), SIZE, r"path of shape \[2, 3\]"),
        (torch.zeros(2, 3, 2), torch.ones(2, 1).bool(), SIZE, "visibility of shape"),
        (torch.zeros(2, 3, 2), torch.ones(2, 3), SIZE, "visibility of shape"),
        (torch.zeros(2, 3, 2).long(), torch.ones(2, 3).bool(), SIZE, "floats"),
        (torch.zeros(2, 3, 2), torch.ones(2, 3).bool(), (0, 4), "size of"),
        (torch.tensor([[[0, 0], [0, torch.nan]]]), torch.ones(1, 2).bool(), SIZE, "track 1 is at .* in frame 0"),
    ],
)
def test_tracks_of_the_wrong_shape_are_refused(path, visible, size, said):
    with pytest.raises(InputError, match=said):
        Tracks(path, visible, size)


def test_frames_and_times_that_are_none_are_refused():
    with pytest.raises(InputError, match="0 frames"):
        instants(0)
    with pytest.raises(InputError, match="each within 0 and 1"):
        sampled([[[0, 0]]]).at([1.5])


# The forms of others.

ONE = [[0, 0], [10, 5], [20, 20]]
TWO = [ONE, [[1, 1], [2, 2], [3, 3]]]


def xy(path) -> list[dict]:
    return [{"x": x, "y": y} for x, y in path]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param(json.dumps(xy(ONE)), 1, id="flat"),
        pytest.param(json.dumps([xy(path) for path in TWO]), 2, id="nested"),
        pytest.param(json.dumps([json.dumps(xy(path)) for path in TWO]), 2, id="list of texts"),
        pytest.param(json.dumps([str(xy(path)) for path in TWO]), 2, id="list of texts in single quotes"),
        pytest.param(str([xy(path) for path in TWO]), 2, id="single quotes"),
        pytest.param(json.dumps({"track_path": [list(pair) for pair in zip(*TWO, strict=True)]}), 2, id="TRACKS"),
        pytest.param(json.dumps({"pred_tracks": [list(pair) for pair in zip(*TWO, strict=True)]}), 2, id="PREDTRACKS"),
        pytest.param(json.dumps([{"points": xy(path), "name": "x", "color": "#fff"} for path in TWO]), 2, id="store"),
        pytest.param(json.dumps(TWO), 2, id="framer"),
        pytest.param(json.dumps(ONE), 1, id="one framer track"),
        pytest.param(json.dumps({"v": 1, "size": SIZE, "tracks": [{"pts": path} for path in TWO]}), 2, id="document"),
    ],
)
def test_every_form_is_read(text, count):
    tracks = formats.tracks_of(formats.loads(text, SIZE), 3)
    assert tracks.path.transpose(0, 1).tolist() == TWO[:count]
    assert tracks.visible.all()
    assert tracks.size == SIZE


def test_samples_of_unlike_length_and_single_points_are_drawn():
    read = formats.loads(json.dumps([xy(ONE), xy([[4, 4]])]), SIZE)
    assert isinstance(read, Document)
    assert read.sampled(5).path[:, 0].tolist() == [[0, 0], [5, 2.5], [10, 5], [15, 12.5], [20, 20]]
    assert read.sampled(5).path[:, 1].tolist() == [[4, 4]] * 5
    assert formats.loads("[]", SIZE) == Document(SIZE)


def test_handles_of_kjnodes_are_places():
    store = [{"points": [{"x": 0, "y": 0, "h2x": 10, "h2y": 30}, {"x": 50, "y": 0, "h1x": 40, "h1y": 30}], "name": "n"}]
    document = formats.loads(json.dumps(store), SIZE)
    assert document.tracks[0].points == (Point(0, 0, None, None, (10, 30)), Point(50, 0, None, (-10, 30), None))
    assert json.loads(formats.dumps(document, "store"))[0]["points"] == store[0]["points"]


@pytest.mark.parametrize("form", ["document", "samples", "flat", "store", "framer"])
def test_what_is_written_is_read_as_the_same(form):
    document = Document(SIZE, (drawn(*ONE, interp="pchip" if form == "framer" else "catmull"),))
    again = formats.loads(formats.dumps(document, form, 9), SIZE)
    assert same(formats.tracks_of(again, 9), document.sampled(9))


def test_samples_are_what_comfyui_reads():
    text = formats.dumps(Document(SIZE, (drawn(*ONE), drawn((7, 8)))), "samples", 4)
    listed = json.loads(text)
    assert [len(path) for path in listed] == [4, 4]
    assert listed[1] == [{"x": 7.0, "y": 8.0}] * 4
    with pytest.raises(InputError, match="2 tracks were given for one flat list"):
        formats.dumps(Document(SIZE, (drawn(*ONE), drawn((7, 8)))), "flat", 4)
    with pytest.raises(InputError, match="no number of frames was given"):
        formats.dumps(Document(SIZE), "samples")
    with pytest.raises(InputError, match="'xml' is not a format"):
        formats.dumps(Document(SIZE), "xml")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "not valid JSON.*line 1 column 1"),
        ('[[{"x": 1, "y": 2},\n {"x": 1, "y" 2}]]', "not valid JSON.*line 2 column"),
        ("[{'x': 1, 'y': }]", "not valid JSON.*line 1 column"),
        ("3", "a list or an object is needed"),
        ('[[{"x": 1, "y": 2}], [{"x": 1}]]', "track 1, point 0 is .*: it has no y"),
        ('[[{"x": 1, "y": "2"}]]', 'y of track 0, point 0 is "2": a finite number is needed'),
        ('[[{"x": 1, "y": NaN}]]', "y of track 0, point 0 is NaN"),
        ('[[{"x": 1, "y": 1' + "0" * 400 + "}]]", "y of track 0, point 0"),
        ('[[{"x": 1, "y": 2}], []]', "track 1 has no points"),
        ("[[]]", "track 0 has no points"),
        ('[[{"x": 1, "y": 2}], 7]', "track 1 is 7: a list of points is needed"),
        ("[[[1, 2], [3]]]", r"track 0, point 1 is \[3\]"),
        ("[[[1, 2]], [[3, true]]]", "track 1, point 0 is true"),
        ('[{"points": [{"x": 1, "y": 2}]}, {"x": 1}]', "track 1 is .*: an object with points"),
        ('[{"points": [{"x": 1, "y": 2, "h1x": 3}]}]', "it has no h1y"),
        ('["[{", "[]"]', "track 0: the tracks are not valid JSON"),
        ('["[]", 3]', "track 1 is 3"),
        ('{"track_path": [[1, 2]]}', r"track_path has the shape \[1, 2\]"),
        ('{"track_path": [[[1, 2], [3]]]}', "track_path is"),
        ('{"track_path": [[[1, 2]]], "track_visibility": [[1, 1]]}', "track_visibility has the shape"),
        ('{"v": 3}', "v is 3"),
    ],
)
def test_malformed_text_says_where(text, said):
    with pytest.raises(InputError, match=said):
        formats.loads(text, SIZE)


@example([["x"]])
@example([{"points": None}])
@example({"pred_tracks": None, "width": "a"})
@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4)
            | st.dictionaries(
                st.sampled_from(["x", "y", "points", "v", "size", "tracks", "pts", "track_path"]), inner, max_size=4
            )
        ),
        max_leaves=12,
    )
)
def test_any_data_is_read_or_refused(data):
    try:
        read = formats.of_data(data, SIZE)
    except InputError:
        return
    assert isinstance(read, Document | Tracks)


def test_the_size_is_needed_but_by_our_own_document():
    with pytest.raises(InputError, match="give its width and height"):
        formats.loads(json.dumps(TWO))
    document = Document(SIZE, (drawn(*ONE),))
    assert formats.loads(document.to_json()) == document
    assert formats.loads(document.to_json(), (256, 160)) == document.scaled((256, 160))


def test_tracks_go_to_comfyui_and_back():
    tracks = sampled([[[1, 2], [3, 4]]] * 5, [[1, 0]] * 5)
    given_ = arrays.core_dict(tracks)
    assert (given_["track_path"].dtype, given_["track_visibility"].dtype) == (torch.float32, torch.bool)
    assert same(arrays.of_core(given_, SIZE), tracks)
    masked = given_ | {"track_visibility": torch.tensor([[1], [0], [1], [1], [1]]).bool()}  # as WanMoveTracksFromCoords has it
    assert arrays.of_core(masked, SIZE).visible.int().tolist() == [[1, 1], [0, 0], [1, 1], [1, 1], [1, 1]]


def test_predtracks_say_the_size_of_their_own_picture():
    data = {"pred_tracks": torch.full((1, 4, 1, 2), 10.0), "anchor_points_flag": None, "width": 256, "height": 160}
    assert formats.of_data(data, SIZE).path.unique().tolist() == [20.5]


def test_ati_arrays_are_written_and_read_and_no_pickle_is_loaded(tmp_path, monkeypatch):
    tracks = Tracks(torch.rand(121, 3, 2) * 300, torch.rand(121, 3) > 0.3, SIZE)
    arrays.save_ati(tracks, tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz") as archive:
        assert archive["array"].shape == (3, 121, 1, 3)
        assert set(np.unique(archive["array"][..., 2])) <= {0, 8}
    torch.save((tmp_path / "a.npz").read_bytes(), tmp_path / "a.pth")  # as ATI's own editor does
    torch.save((tmp_path / "a.npz").read_bytes(), tmp_path / "b.pth", pickle_protocol=4)
    monkeypatch.setattr(torch, "load", None)
    monkeypatch.setattr("pickle.loads", None)
    for name in ("a.npz", "a.pth", "b.pth"):
        read = formats.read_tracks(tmp_path / name, SIZE)
        assert (read.path - tracks.path).abs().max() <= 1 / 16 + 1e-6
        assert torch.equal(read.visible, tracks.visible)


def test_wan_move_arrays_are_written_and_read(tmp_path):
    tracks = Tracks(torch.rand(9, 3, 2), torch.rand(9, 3) > 0.5, SIZE)
    arrays.save_wan_move(tracks, tmp_path)
    assert same(formats.read_tracks(tmp_path / "track.npy", SIZE), tracks)
    np.save(tmp_path / "alone_track.npy", tracks.path[None].numpy())
    alone = formats.read_tracks(tmp_path / "alone_track.npy", SIZE)
    assert torch.equal(alone.path, tracks.path)
    assert alone.visible.all()


class Trap:
    def __reduce__(self):
        return pytest.fail, ("a pickle was run",)


def npz(**named) -> bytes:
    made = io.BytesIO()
    np.savez(made, **named)
    return made.getvalue()


def npy(shape: str) -> bytes:
    """The header of an array that says it has this shape, without any numbers."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}}}".encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header


def test_files_that_hold_no_tracks_are_refused_by_name(tmp_path):
    bad = {
        "text.json": b"[[",
        "latin.json": b"\xff\xfe\xff",
        "short.npy": b"\x93NUMPY",
        "open.npy": npy("(((((((("),
        "huge.npy": npy("(1000000000000,1,2)"),
        "cut.npz": npz(array=np.zeros((1, 121, 1, 3)))[:200],
        "shape.npz": npz(array=np.zeros((3, 3))),
        "empty.npz": npz(),
        "objects.npz": npz(array=np.array([Trap()], dtype=object)),
        "words.npz": npz(array=np.array(["a"])),
    }
    for name, data in bad.items():
        (tmp_path / name).write_bytes(data)
    torch.save({"a": Trap()}, tmp_path / "trap.pth")
    torch.save({"a": torch.ones(3)}, tmp_path / "weights.pth")
    np.save(tmp_path / "objects.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    for name in (*bad, "trap.pth", "weights.pth", "objects.npy", "missing.json"):
        with pytest.raises(InputError, match=name):
            formats.read_tracks(tmp_path / name, SIZE)


# Framer's parity.


@pytest.mark.parametrize("name", ["two", "three", "five", "repeat", "timed"])
@pytest.mark.parametrize("frames", [5, 14, 25])
def test_trajectories_are_framers(name, frames):
    data = framer("trajectory")
    if f"expected.{name}.n{frames}" not in data:
        assert (name, frames) == ("timed", 25)
        return
    points = data["input.three" if name == "timed" else f"input.{name}"][:, 0].tolist()
    times = data["input.timed.t"].tolist() if name == "timed" else [None] * len(points)
    track = drawn(*((x, y, time) for (x, y), time in zip(points, times, strict=True)), interp="pchip")
    got = Document(SIZE, (track,)).sampled(frames).path
    assert (got - data[f"expected.{name}.n{frames}"]).abs().max() < 1e-9


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("centre_128x64", (128, 64)),
        ("edges_128x64", (128, 64)),
        ("overlap_order_128x64", (128, 64)),
        ("tiny_48x24", (48, 24)),
        ("real_512x320", (512, 320)),
        ("visibility", (128, 64)),
    ],
)
def test_heat_maps_are_framers(name, size):
    data = framer("heatmap")
    points = data[f"input.{name}.points"]
    visible = data.get(f"input.{name}.mask", torch.ones(points.shape[:2]).bool())
    got = heatmaps(Tracks(points, visible, size))
    assert (got.int() - data[f"expected.{name}"].int()).abs().max() <= 1
    assert (torch.from_numpy(template()).int() - data["expected.template_200"].int()).abs().max() == 0


def test_a_picture_too_small_for_a_stamp_stays_black():
    assert not heatmaps(sampled([[[0, 0]]], size=(2, 2))).any()


@pytest.mark.parametrize("reach", [2, 5, 8])
def test_points_are_found_again_as_by_framer(reach):
    data = framer("point_tracking")
    got = found(data["input.F0"][0], data["input.F1"][0], data["input.handle_init"], data["input.handle"], reach)
    assert torch.equal(got, data[f"expected.dist{reach}"])


@pytest.mark.parametrize(("name", "agree"), [("autopilot_fixed", 2), ("autopilot_loose_fixed", 9)])
def test_tracks_are_bent_as_by_framer(name, agree):
    data = framer("refresh")
    tracks = Tracks(data["tracks"], torch.ones(5, 3).bool(), (128, 64))
    fixed = torch.zeros(5, 3).bool()
    matches = data[f"{name}.match_calls"].reshape(3, 3, 2, 3, 2)  # steps, frames between, keyframes, points, x and y
    for step in range(3):
        assert torch.allclose(tracks.path, data[f"{name}.tracks_step{step}"], atol=1e-4)
        ends = [tracks.path.clone() for _ in range(2)]
        for key, end in enumerate(ends):
            end[1:-1] = matches[step, :, key]
        tracks, fixed = anchored(tracks, fixed, *ends, agree=agree)
    assert torch.equal(fixed, data[f"{name}.anchor_flag_final"].bool())


@pytest.mark.parametrize("wrong", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x00", b"\xff\xff\xff\x7f"])
@pytest.mark.parametrize("place", [12, 16], ids=["size of the directory", "its offset"])
def test_an_archive_whose_directory_lies_is_a_sentence(tmp_path, place: int, wrong: bytes):
    arrays.save_ati(sampled([[[0.0, 0.0]], [[1.0, 1.0]]]), tmp_path / "a.npz")
    data = bytearray((tmp_path / "a.npz").read_bytes())
    end = data.rindex(b"PK\x05\x06") + place
    data[end : end + 4] = wrong
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.npz"):
        formats.read_tracks(tmp_path / "a.npz", SIZE)
