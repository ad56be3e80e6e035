from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from tests.matchers import loftr_state, xfeat_state
from vfi.core import InputError
from vfi.model import matching
from vfi.motion import match, matchers
from vfi.motion.matchers import View, placed, refined

kornia = pytest.importorskip("kornia.feature")
needs_xfeat = pytest.mark.skipif(not hasattr(kornia, "XFeat"), reason="kornia 0.9 is needed")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """XFeat and LighterGlue with random weights, in one file as `vfi models fetch` stores it."""
    path = tmp_path_factory.mktemp("models") / "xfeat.safetensors"
    save_file(xfeat_state(), path)
    return path


@pytest.fixture(scope="module")
def xfeat(file: Path) -> matchers.XFeat:
    found = matchers.of_file("xfeat", file)
    assert isinstance(found, matchers.XFeat)
    return found


def noise(height: int, width: int, seed: int = 0) -> Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed))


def by_kornia(first: Tensor, last: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """What kornia's own classes make of two pictures [3,H,W], their sides multiples of 32, with the same weights."""
    state = xfeat_state()
    detector = kornia.XFeat(top_k=matchers.MOST).eval()
    detector.net.load_state_dict({k.removeprefix("xfeat."): v for k, v in state.items() if k.startswith("xfeat.")})
    pairing = kornia.LightGlue(
        None, input_dim=64, descriptor_dim=96, n_layers=6, num_heads=1, depth_confidence=-1, width_confidence=-1
    ).eval()
    inner = "xfeat-lighterglue.matcher."
    pairing.load_state_dict({k.removeprefix(inner): v for k, v in state.items() if k.startswith(inner)}, strict=False)
    found = [detector.detectAndCompute(one[None])[0] for one in (first, last)]
    size = torch.tensor([[first.shape[2], first.shape[1]]])
    given = [
        {"keypoints": one["keypoints"][None], "descriptors": one["descriptors"][None], "image_size": size} for one in found
    ]
    with torch.no_grad():
        out = pairing({"image0": given[0], "image1": given[1]})
    which = out["matches"][0]
    return found[0]["keypoints"][which[:, 0]], found[1]["keypoints"][which[:, 1]], out["scores"][0]


@needs_xfeat
def test_xfeat_is_kornias_with_the_weights_of_a_file(xfeat: matchers.XFeat, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(matchers, "refined", lambda first, last, matches, scale: matches)
    first = noise(64, 96)
    last = (first + 0.02 * noise(64, 96, seed=1)).clamp(0, 1)
    ours, (one, other, score) = xfeat(first, last), by_kornia(first, last)
    assert len(ours) >= 10
    torch.testing.assert_close(ours.first, one.float())
    torch.testing.assert_close(ours.last, other.float())
    torch.testing.assert_close(ours.score, score, atol=1e-4, rtol=0)  # kornia adds up in another order
    assert ours.size == (96, 64)


@needs_xfeat
def test_points_of_xfeat_are_in_pixels_of_the_picture(xfeat: matchers.XFeat, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(matchers, "refined", lambda first, last, matches, scale: matches)
    monkeypatch.setattr(matchers, "XFEAT_SIDE", 96)
    large = noise(128, 192)
    small = F.interpolate(large[None], (64, 96), mode="bilinear", antialias=True)[0]
    ours, (one, other, _) = xfeat(large, large), by_kornia(small, small)
    assert len(ours) >= 5
    torch.testing.assert_close(ours.first, one.float() * 2 + 0.5)  # the centre of a pixel of four
    torch.testing.assert_close(ours.last, other.float() * 2 + 0.5)


@needs_xfeat
@pytest.mark.parametrize(("height", "width"), [(1, 1), (2, 70), (16, 16), (17, 33), (70, 45)])
def test_xfeat_takes_pictures_of_any_size(xfeat: matchers.XFeat, height: int, width: int):
    picture = noise(height, width)
    found, again = xfeat(picture, picture), xfeat(picture, picture)
    for points in (found.first, found.last):
        assert ((points >= 0) & (points <= torch.tensor([width - 1, height - 1]))).all()
    assert ((found.score > 0) & (found.score <= 1)).all()
    assert torch.equal(found.first, again.first)
    assert torch.equal(found.last, again.last)
    assert torch.equal(found.score, again.score)
    assert found.first.dtype == found.score.dtype == torch.float32
    assert not found.first.is_inference()


@needs_xfeat
def test_pictures_without_points_have_no_matches(xfeat: matchers.XFeat):
    for empty in (torch.zeros(3, 40, 50), torch.full((3, 40, 50), torch.nan), torch.zeros(3, 40, 50, dtype=torch.uint8)):
        found = xfeat(empty, empty)
        assert len(found) == len(found.consistent()) == found.tracks(3).count == 0
    assert len(xfeat(noise(64, 96), torch.zeros(3, 64, 96))) == 0
    with pytest.raises(InputError, match="two of the same size are needed"):
        xfeat(noise(64, 96), noise(64, 95))


@needs_xfeat
def test_codes_and_halves_are_pictures_too(xfeat: matchers.XFeat):
    picture = noise(64, 96)
    found = xfeat((picture * 255).round().to(torch.uint8), (picture * 255).round().to(torch.uint8))
    assert len(found) >= 10
    assert len(xfeat(picture.half(), picture.half())) >= 10


@needs_xfeat
def test_flash_attention_of_the_process_is_left_as_it_was():
    state, before = xfeat_state(), torch.backends.cuda.flash_sdp_enabled()
    try:
        for wanted in (False, True):
            torch.backends.cuda.enable_flash_sdp(wanted)
            matching.pairing(state)
            assert torch.backends.cuda.flash_sdp_enabled() is wanted
    finally:
        torch.backends.cuda.enable_flash_sdp(before)


def test_a_kornia_without_xfeat_says_so(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr(kornia, "XFeat", raising=False)
    with pytest.raises(InputError, match=r"xfeat needs kornia 0\.9 or later, and \d.* is installed"):
        matching.detector({})


# What a network sees


@pytest.mark.parametrize("size", [(2160, 3840), (3840, 2160), (4000, 30)])
def test_large_pictures_are_made_smaller(size: tuple[int, int]):
    view = View.of(torch.zeros(1, *size), 1600, 32, "replicate")
    assert max(view.picture.shape[-2:]) <= 1600
    assert not any(side % 32 for side in view.picture.shape[-2:])
    corners = torch.tensor([[-0.5, -0.5], [view.size[0] - 0.5, view.size[1] - 0.5]])
    torch.testing.assert_close(view.original(corners), torch.tensor([[-0.5, -0.5], [size[1] - 0.5, size[0] - 0.5]]))


def test_a_dot_is_where_the_view_says():
    picture = torch.zeros(1, 303, 401)
    picture[:, 200:203, 300:303] = 1
    view = View.of(picture, 133, 32, "constant")
    y, x = divmod(int(view.picture.argmax()), view.picture.shape[-1])
    assert (view.original(torch.tensor([[float(x), float(y)]])) - torch.tensor([301.0, 201.0])).abs().max() <= 2


def test_what_lies_in_the_padding_is_dropped():
    view = View.of(torch.zeros(1, 60, 83), 840, 8, "constant")
    assert view.picture.shape == (1, 1, 64, 88)
    first = torch.tensor([[1.0, 2.0], [82.0, 59.0], [83.4, 5.0], [5.0, 5.0]])
    last = torch.tensor([[3.0, 4.0], [0.0, 0.0], [5.0, 5.0], [5.0, 60.0]])
    found = placed([view, view], [first, last], torch.tensor([0.5, 0.9, 0.7, 0.8]), (83, 60), centre=0.5)
    assert found.first.tolist() == [[0.5, 1.5], [81.5, 58.5]]
    assert found.last.tolist() == [[2.5, 3.5], [0, 0]]
    assert found.score.tolist() == pytest.approx([0.5, 0.9])


# Refined points


def moved(by: tuple[float, float]) -> tuple[Tensor, Tensor]:
    """A texture, and the same moved by ``by`` pixels."""
    coarse = F.interpolate(noise(24, 32)[None], (192, 256), mode="bicubic")
    y, x = torch.meshgrid(torch.arange(192.0), torch.arange(256.0), indexing="ij")
    grid = torch.stack(((x - by[0]) * 2 / 255 - 1, (y - by[1]) * 2 / 191 - 1), dim=-1)[None]
    return coarse[0].clamp(0, 1), F.grid_sample(coarse, grid, align_corners=True, mode="bicubic")[0].clamp(0, 1)


def test_points_are_refined_to_a_part_of_a_pixel():
    first, last = moved((5.3, -2.6))
    places = torch.cartesian_prod(torch.arange(40.0, 200, 20), torch.arange(40.0, 140, 20))
    coarse = match.Matches(places, places + torch.tensor([6.0, -2.0]), torch.ones(len(places)), (256, 192))
    fine = refined(first, last, coarse)
    assert (fine.last - places - torch.tensor([5.3, -2.6])).norm(dim=1).median() < 0.1
    assert torch.equal(fine.first, places)


def test_points_stay_where_nothing_tells_better():
    first, last = moved((5.3, -2.6))
    places = torch.tensor([[60.0, 60.0], [100.0, 90.0]])
    far = match.Matches(places, places + 40, torch.ones(2), (256, 192))
    even = torch.full_like(first, 0.5)
    assert torch.equal(refined(even, even, far).last, far.last)
    near = match.Matches(places, places, torch.ones(2), (256, 192))
    assert (refined(first, last, near).last - places).norm(dim=1).max() <= matchers.WITHIN
    other = noise(192, 256, seed=5)
    assert torch.equal(refined(first, other, far).last, far.last)
    assert len(refined(first, last, match.none((256, 192)))) == 0


# LoFTR


@pytest.mark.slow
def test_loftr_is_kornias_with_the_weights_of_a_file(tmp_path: Path):
    save_file(loftr_state(), tmp_path / "loftr_outdoor.safetensors")
    ours = matchers.of_file("loftr", tmp_path / "loftr_outdoor.safetensors")
    assert isinstance(ours, matchers.LoFTR)
    network = kornia.LoFTR(pretrained=None)
    network.load_state_dict(loftr_state())
    network.eval()
    ours._network.coarse_matching.thr = network.coarse_matching.thr = 0  # random weights are sure of nothing
    first = noise(96, 128)
    last = (first + 0.05 * noise(96, 128, seed=1)).clamp(0, 1)
    grey = [torch.einsum("chw,c->hw", one, torch.tensor([0.299, 0.587, 0.114])) for one in (first, last)]
    with torch.no_grad():
        images = [(one * 255).round()[None, None] / 255 for one in grey]
        out = network({"image0": images[0], "image1": images[1]})
    found = ours(first, last)
    inside = ((out["keypoints1"] > 0) & (out["keypoints1"] < torch.tensor([128, 96]))).all(1)
    assert len(found) == int(inside.sum()) > 0
    torch.testing.assert_close(found.first, out["keypoints0"][inside] - 0.5)
    torch.testing.assert_close(found.last, (out["keypoints1"][inside] - 0.5).clamp(min=0).minimum(torch.tensor([127.0, 95])))
    torch.testing.assert_close(found.score, out["confidence"][inside])
    assert len(ours(torch.zeros(3, 16, 16), torch.zeros(3, 16, 16))) <= 4
    assert ours(noise(1, 3), noise(1, 3)).size == (3, 1)


# By name


def test_matchers_are_had_by_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setenv("INBETWEEN_MODELS", str(tmp_path))
    assert matchers.NAMES == ("sift", "xfeat", "loftr")
    assert matchers.matcher("sift") is match.sift
    with pytest.raises(InputError, match="no matcher is called 'surf': there are sift, xfeat, loftr"):
        matchers.matcher("surf")
    for name, kept in (("xfeat", "xfeat"), ("loftr", "loftr_outdoor")):
        with pytest.raises(InputError, match=rf"{name} is not on disk: {kept}\.safetensors.*`vfi models fetch {name}`"):
            matchers.matcher(name)


@needs_xfeat
def test_weights_are_searched_for_in_the_folders_given(file: Path):
    assert isinstance(matchers.matcher("xfeat", folders=[file.parent]), matchers.XFeat)


@needs_xfeat
@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"xfeat.block1.0.layer.0.weight": None}, r"look like xfeat, but block1\.0\.layer\.0\.weight is missing"),
        ({"xfeat.skip1.1.bias": torch.zeros(3)}, r"skip1\.1\.bias is \[3\] instead of \[24\]"),
        ({"xfeat-lighterglue.matcher.input_proj.bias": torch.full((96,), torch.nan)}, "NaN or infinite"),
    ],
)
def test_weights_that_do_not_fit_are_named(change: dict[str, Tensor | None], says: str, tmp_path: Path):
    state = {name: value for name, value in (xfeat_state() | change).items() if value is not None}
    save_file(state, tmp_path / "odd.safetensors")
    with pytest.raises(InputError, match=rf"odd\.safetensors: .*{says}"):
        matchers.of_file("xfeat", tmp_path / "odd.safetensors")


def test_another_network_is_told_from_the_one_that_was_asked_for(tmp_path: Path):
    save_file({"a": torch.ones(1)}, tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"other\.safetensors holds no loftr: its tensors have other names"):
        matchers.of_file("loftr", tmp_path / "other.safetensors")
    save_file({"matcher.loftr_coarse.layers.0.q_proj.weight": torch.ones(1)}, tmp_path / "cut.safetensors")
    with pytest.raises(InputError, match=r"cut\.safetensors holds no xfeat: it is loftr"):
        matchers.of_file("xfeat", tmp_path / "cut.safetensors")
    with pytest.raises(InputError, match=r"cut\.safetensors: the weights look like loftr, but .* is missing"):
        matchers.of_file("loftr", tmp_path / "cut.safetensors")
