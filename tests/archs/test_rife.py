"""RIFE: the numbers of the published networks, what is read off a state dict, and the promises of an interpolator."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import contracts
import halves
import pytest
import torch
from networks import drawn_rife
from parity import DATA, Case, ParitySet, compare, load_set, names, synthetic_frames
from safetensors.torch import load_file
from torch import Tensor

from vfi.archs import rife
from vfi.archs.rife import FOUR_LAYERS, NAMED_LAYERS, TWO_LAYERS, Config, Head, Rife, build, detect
from vfi.core import Encodes, InputError, Interpolator, Moves, Options
from vfi.model import registry
from vfi.ops.warp import warp_corners

SETS = {name.removeprefix("rife/rife_"): load_set(name) for name in names("rife")}

NAMES = {
    "eccv": "rife-eccv",
    "eccv_d": "rife-eccv-m/eccv-d/eccv-d-pro",
    "eccv_dr": "rife-eccv-dr/eccv-dr-pro/eccv-dr-vgg",
    "eccv_m": "rife-eccv-m/eccv-d/eccv-d-pro",
    "v4.0": "rife-4.0/4.1",
    "v4.0_bigflow": "rife-4.0/4.1",
    "v4.0_refine": "rife-4.0/4.1",
    "v4.2": "rife-4.2/4.3/4.4",
    "v4.5": "rife-4.5",
    "v4.6": "rife-4.6",
    "v4.7": "rife-4.7/4.8/4.9",
    "v4.10": "rife-4.10/4.11/4.12",
    "v4.12.lite": "rife-4.12-lite/4.13-lite",
    "v4.15": "rife-4.13/4.14/4.15/4.17/4.18/4.19/4.24",
    "v4.17": "rife-4.13/4.14/4.15/4.17/4.18/4.19/4.24",
    "v4.22": "rife-4.21/4.22/4.23",
    "v4.22.lite": "rife-4.22-lite",
    "v4.25": "rife-4.25/4.26",
    "v4.25.lite": "rife-4.25-lite",
    "v4.25.heavy": "rife-4.25-heavy",
    "v4.26": "rife-4.25/4.26",
    "v4.26.heavy": "rife-4.26-heavy",
}

NETWORKS = {
    "eccv": Config((16, 12, 8), prelu=True, timed=False, residual=False, outputs=5, context=4),
    "eccv-m": Config((16, 12, 8), prelu=True, residual=False, outputs=5, context=4),
    "eccv-dr": Config((16, 12, 8), prelu=True, reference=True, residual=False, outputs=5, context=4),
    "4.0": Config((16, 12, 8, 8), prelu=True, residual=False, outputs=5, context=4),
    "4.2": Config((16, 12, 8, 8), residual=False, outputs=5),
    "4.6": Config((16, 12, 8, 8)),
    "4.7": Config((16, 12, 8, 8), head=Head(8, 4, TWO_LAYERS)),
    "4.10": Config((16, 12, 8, 8), head=Head(8, 6, FOUR_LAYERS)),
    "4.14-lite": Config((16, 12, 8, 8), groups=2, head=Head(8, 4, NAMED_LAYERS)),
    "4.25": Config((16, 12, 8, 8, 6), outputs=13, head=Head(8, 4, NAMED_LAYERS)),
}
"""Every kind of network, a few channels wide."""


def network(name: str, **options) -> Rife:
    return drawn_rife(NETWORKS[name], **options)


def windows(count: int = 1, height: int = 64, width: int = 128) -> Tensor:
    """[B,2,3,H,W]: pairs of different motion."""
    return torch.stack([torch.from_numpy(synthetic_frames(height, width, 2, 1.0 + index)) for index in range(count)])


def steps(name: str, *t: float) -> Tensor:
    return torch.tensor(t) if NETWORKS[name].timed else torch.full((len(t),), 0.5)


def psnr(a: Tensor, b: Tensor) -> float:
    return float(-10 * (a - b).square().mean().log10())


# --- the published numbers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("parity", "case"), [pytest.param(s, c, id=f"{name}-{c.name}") for name, s in SETS.items() for c in s.cases]
)
@torch.no_grad()
def test_parity(parity: ParitySet, case: Case) -> None:
    options = Options(scale=case.options.get("scale", 1.0), ensemble=case.options.get("ensemble", False))
    net = build(parity.state(), options, teacher=case.options.get("teacher", False))
    window = case.window
    got: dict[str, Tensor] = {}
    for t in case.timesteps:
        made, level = render(net, window, case.times(t))
        if case.options.get("tta"):
            made = (made + render(net, window.flip(-2, -1), case.times(t))[0].flip(-2, -1)) / 2
        got |= {f"out_t{t:g}": made, f"flow_t{t:g}": level.flow, f"mask_t{t:g}": level.mask}
    got = {key: case.cut(value) for key, value in got.items()}
    if case.options.get("teacher"):
        truth = torch.from_numpy(synthetic_frames(case.height, case.width, 2, case.motion / 2))[1:]
        lesson = net.teach(window, torch.tensor([0.5]), truth)
        torch.testing.assert_close(lesson.student, got["out_t0.5"])
        got |= {"teacher_flow": lesson.teacher_flow, "teacher_merged": lesson.teacher, "loss_distill": lesson.distillation}
    if net.flownet.config.head:
        got["encode0"] = net.flownet.features(window[:, 0]).plane[:, 3:]
    assert case.expected.keys() <= got.keys()
    for key in case.expected:
        parity.compare(case, key, got[key])


def render(net: Rife, window: Tensor, t: Tensor) -> tuple[Tensor, rife.Level]:
    """As the published code runs it: it pads 4.0 to multiples of 32, where `Rife` demands the 64 that doubling needs."""
    features = [net.flownet.features(rgb) for rgb in window.unbind(1)]
    level = net.flownet.estimate(features, t)
    return net.flownet.render(level, features), level


@pytest.mark.weights
@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("pair", ["I0", "I2"])
@torch.no_grad()
def test_trained_weights(rife425_state: dict[str, Tensor], pair: str, scale: float) -> None:
    tolerance = json.loads((DATA / "real" / "manifest.json").read_text())["tolerance"]
    window = load_file(DATA / "real" / "inputs.safetensors")[pair].permute(0, 3, 1, 2)[None] / 255
    net = build(rife425_state, Options(scale=scale))
    assert net.spec.name == "rife-4.25/4.26"
    prefix = f"{pair}/{'base' if scale == 1 else 'scale0.5'}/"
    expected = load_file(DATA / "real" / "rife_4.25.safetensors")
    checked = 0
    for t in (0.25, 0.5, 0.75) if scale == 1 else (0.5,):
        made, level = render(net, window, torch.tensor([t]))
        torch.testing.assert_close(made, net(window, torch.tensor([t])), rtol=0, atol=0)
        for kind, got, atol in (
            ("out", made, "image_atol"),
            ("flow", level.flow, "flow_atol"),
            ("mask", level.mask, "mask_logit_atol"),
        ):
            key = f"{prefix}{kind}_t{t:g}"
            compare(got, expected[key], rtol=tolerance["rtol"], atol=tolerance[atol], what=key)
            checked += 1
    assert checked == sum(key.startswith(prefix) for key in expected)


@pytest.mark.weights
@torch.no_grad()
def test_trained_weights_of_4_0(rife40_state: dict[str, Tensor]) -> None:
    window = load_file(DATA / "real" / "inputs.safetensors")["I0"].permute(0, 3, 1, 2)[None] / 255
    t = torch.tensor([0.5])
    refined, plain = build(rife40_state), build(rife40_state, Options(refine=False))
    assert refined.spec.name == "rife-4.0/4.1"
    assert 0.003 < (refined(window, t) - plain(window, t)).abs().mean() < 0.02
    lesson = build(rife40_state, teacher=True).teach(window, t, window.mean(dim=1))
    assert psnr(lesson.teacher, window.mean(dim=1)) > psnr(lesson.student, window.mean(dim=1))


# --- what is read off a state dict --------------------------------------------------------------------------------------------


def shapes_of(parity: ParitySet) -> dict[str, Tensor]:
    """The keys of a set, with tensors that have a shape and nothing else."""
    return {key: torch.empty(shape, device="meta") for key, (shape, _) in parity.manifest["state_dict"].items()}


def test_every_set_is_recognised() -> None:
    assert {name: detect(shapes_of(parity)).name for name, parity in SETS.items()} == NAMES


def test_spec() -> None:
    spec = detect(shapes_of(SETS["v4.25"]))
    assert (spec.window, spec.any_t, spec.half, spec.tiles, spec.licence) == (2, True, True, True, "MIT")
    assert not detect(shapes_of(SETS["eccv"])).any_t
    assert detect(shapes_of(SETS["eccv_m"])).any_t


@pytest.mark.parametrize(
    ("name", "scale", "multiple"),
    [
        ("eccv", 1, 32),
        ("v4.0", 1, 64),
        ("v4.0_refine", 0.5, 128),
        ("v4.2", 1, 32),
        ("v4.6", 0.25, 128),
        ("v4.22", 2, 32),
        ("v4.25", 1, 64),
        ("v4.25", 0.5, 128),
        ("v4.26.heavy", 4, 64),
        ("v4.25.lite", 1, 128),
        ("v4.25.lite", 0.25, 512),
    ],
)
def test_multiple(name: str, scale: float, multiple: int) -> None:
    config = rife.configure(shapes_of(SETS[name]))
    assert rife.specify(config, Options(scale=scale)).multiple == multiple


@pytest.mark.parametrize(
    ("config", "millions"),
    [
        (c, m)
        for c, m in zip(
            rife.PUBLISHED,
            (
                6.82,
                6.82,
                6.83,
                5.16,
                5.16,
                5.28,
                5.31,
                5.33,
                5.36,
                2.63,
                5.36,
                2.97,
                2.62,
                15.38,
                9.32,
                4.87,
                5.66,
                5.56,
                5.62,
                21.66,
                5.72,
            ),
            strict=True,
        )
    ],
    ids=lambda value: value.versions[0] if isinstance(value, Config) else "",
)
def test_published_networks_are_deduced(config: Config, millions: float) -> None:
    with torch.device("meta"):
        net = rife.IFNet(config)
    assert sum(p.numel() for p in net.parameters()) / 1e6 == pytest.approx(millions, abs=0.006)
    assert rife.configure(net.state_dict()) == config


@pytest.mark.parametrize("name", NETWORKS)
def test_any_width_is_deduced(name: str) -> None:
    net = network(name)
    again = build(net.flownet.state_dict())
    assert replace(again.flownet.config, context=0) == replace(NETWORKS[name], context=0)
    assert again.flownet.config.context == NETWORKS[name].context
    assert again.spec.name == "rife-custom"
    window, t = windows(), torch.tensor([0.5])
    assert torch.equal(again(window, t), net(window, t))


def test_no_row_is_published_twice() -> None:
    versions = [version for row in rife.PUBLISHED.values() for version in row]
    assert len(versions) == len(set(versions))


def test_numbered_blocks_load() -> None:
    state = network("4.25").flownet.state_dict()
    dotted = {key.replace("block", "blocks.", 1) if key.startswith("block") else key: value for key, value in state.items()}
    assert "blocks.3.conv0.0.0.weight" in dotted
    assert build(dotted).flownet.state_dict().keys() == state.keys()


def test_training_parts_are_left_out() -> None:
    state = network("4.25").flownet.state_dict()
    more = {
        key: torch.zeros(4, 4, 1, 1) for key in ("teacher.conv0.0.0.weight", "caltime.0.weight", "block_tea.conv0.1.0.weight")
    }
    assert build(state | more).flownet.state_dict().keys() == state.keys()


def test_refinement_is_left_out_when_asked() -> None:
    net = network("4.0")
    window, t = windows(), torch.tensor([0.5])
    plain = build(net.flownet.state_dict(), Options(refine=False))
    assert not hasattr(plain.flownet, "unet")
    assert not torch.equal(plain(window, t), net(window, t))


@pytest.mark.parametrize("version", ["4.7", "4.25"])
def test_the_finest_of_five_blocks_is_left_out_when_asked(version: str) -> None:
    net = network(version)
    window, t = windows(), torch.tensor([0.5])
    plain = build(net.flownet.state_dict(), Options(refine=False))
    assert plain.spec.name == net.spec.name
    planes = [net.encode(rgb).plane for rgb in window.unbind(1)]
    levels = list(net.flownet.levels((planes[0], planes[1]), t.view(1, 1, 1, 1), net.flownet.scales))
    expected = levels[-2 if version == "4.25" else -1].blend().clamp(0, 1)
    torch.testing.assert_close(plain(window, t), expected)
    assert len(list(plain.flownet.blocks)) == 4


@torch.no_grad()
def test_without_its_finest_block_it_is_saved_as_our_own() -> None:
    """What is trained without this block has no weights for it, and still works at the scales that it was trained at."""
    whole = next(config for config, versions in rife.PUBLISHED.items() if "4.25" in versions)
    plain = build(drawn_rife(whole).flownet.state_dict(), Options(refine=False))
    saved = build(plain.flownet.state_dict())
    assert saved.spec.name == "inbetween-m"
    assert torch.equal(saved(windows(), torch.tensor([0.5])), plain(windows(), torch.tensor([0.5])))


def test_other_networks_are_not_recognised() -> None:
    state = network("4.25").flownet.state_dict()
    assert detect({"encoder.pyramid1.0.0.weight": torch.zeros(32, 3, 3, 3)}) is None
    assert detect({key: value for key, value in state.items() if "conv0" not in key}) is None
    with pytest.raises(InputError, match="not RIFE's"):
        build({"block0.lastconv.weight": torch.zeros(5)})


def test_a_state_dict_that_is_not_whole_is_refused() -> None:
    state = network("4.25").flownet.state_dict()
    short = {key: value for key, value in state.items() if key != "block2.convblock.3.conv.bias"}
    with pytest.raises(InputError, match=r"1 tensors are missing.*block2\.convblock\.3\.conv\.bias$"):
        build(short)
    with pytest.raises(InputError, match=r"unknown.*: extra\.weight$"):
        build(state | {"extra.weight": torch.zeros(1)})
    with pytest.raises(InputError, match=r"wrong shape: block1\.conv0\.0\.0\.weight$"):
        build(state | {"block1.conv0.0.0.weight": torch.zeros(6, 3, 3, 3)})


def test_variant_narrows_the_name() -> None:
    config = rife.configure(shapes_of(SETS["v4.25"]))
    assert rife.specify(config, Options(variant="4.26")).name == "rife-4.26"
    with pytest.raises(InputError, match=r"'4\.20' does not match: these weights can only be 4\.25 or 4\.26"):
        rife.specify(config, Options(variant="4.20"))


def test_options_that_cannot_be() -> None:
    with pytest.raises(InputError, match=r"scale 3 is not supported: RIFE takes 0\.25, 0\.5, 1, 2, 4"):
        network("4.6", scale=3.0)
    for name in ("v4.22", "v4.25", "v4.25.lite", "eccv", "eccv_m"):
        config = rife.configure(shapes_of(SETS[name]))
        with pytest.raises(InputError, match=r"no ensemble: only RIFE 4\.0 to 4\.20"):
            rife.specify(config, Options(ensemble=True))


def test_checkpoints_are_published_networks() -> None:
    versions = {f"rife-{version}" for row in rife.PUBLISHED.values() for version in row}
    assert {checkpoint.name for checkpoint in rife.CHECKPOINTS} <= versions | {
        "rife-4.13.2",
        rife.OWN,
    }  # 4.13 and 4.25, trained on
    assert all(checkpoint.name == f"rife-{checkpoint.variant}" for checkpoint in rife.CHECKPOINTS if checkpoint.variant)
    bare = {checkpoint.name for checkpoint in rife.CHECKPOINTS if not checkpoint.sources}
    assert bare == {rife.OWN, "rife-4.17", *(f"rife-eccv-{kind}" for kind in ("d", "d-pro", "dr", "dr-pro", "dr-vgg"))}


def test_older_networks_are_refused_by_name() -> None:
    third = {"block0.conv0.0.0.weight": (45, 11, 3, 3), "block0.convblock0.0.0.weight": (90, 90, 3, 3)}
    third |= {"block0.conv1.0.weight": (90, 45, 4, 4), "block0.conv2.weight": (90, 1, 4, 4)}
    second = {"block0.conv0.0.0.weight": (96, 6, 3, 3), "block0.convblock.0.0.weight": (192, 192, 3, 3)}
    second |= {"block0.conv1.weight": (384, 4, 4, 4)}
    for version, shapes in (("3", third), ("2", second)):
        state = {f"module.{name}": torch.zeros(shape) for name, shape in shapes.items()}
        with pytest.raises(InputError, match=f"network: RIFE {version}, whose network is another: RIFE 4, and the paper's"):
            registry.detect(state)


# --- the promises of an interpolator ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_contract(name: str) -> None:
    net = network(name)
    assert isinstance(net, Interpolator)
    assert isinstance(net, Encodes)
    assert isinstance(net, Moves)
    window, t = windows(2), steps(name, 0.25, 0.75)
    made = net(window, t)
    assert made.shape == (2, 3, 64, 128)
    assert made.dtype == torch.float32
    assert 0 <= made.min() < made.max() <= 1


@pytest.mark.parametrize(
    ("name", "ensemble"), [*((name, False) for name in NETWORKS), ("4.0", True), ("4.2", True), ("4.7", True)]
)
@torch.no_grad()
def test_one_window_serves_every_t(name: str, ensemble: bool) -> None:
    net = network(name, ensemble=ensemble)
    window, t = windows(), steps(name, 0.2, 0.5, 0.9)
    per_frame = [part for part_name, part in net.flownet.named_children() if part_name in ("encode", "contextnet")]
    contracts.preparing_once_serves_every_timestep(net, window, t, *per_frame)
    together = net(window, t)
    apart = torch.cat([net(window, one[None]) for one in t])
    assert together.shape == apart.shape
    torch.testing.assert_close(together, apart, rtol=0, atol=1e-5)
    if NETWORKS[name].timed:
        assert min((a - b).abs().max() for a, b in pairwise(together)) > 1e-3


@pytest.mark.parametrize("name", NETWORKS)
@torch.no_grad()
def test_motion_makes_the_picture(name: str) -> None:
    net = network(name)
    if NETWORKS[name].context:
        net = build(net.flownet.state_dict(), Options(refine=False))
    window, t = windows(2), steps(name, 0.3, 0.6)
    motion = contracts.motion(net, window, t)
    assert 0 <= motion.mask.min() < motion.mask.max() <= 1
    assert motion.flow0.abs().max() > 1
    made = warp_corners(window[:, 0], motion.flow0) * motion.mask + warp_corners(window[:, 1], motion.flow1) * (1 - motion.mask)
    torch.testing.assert_close(made.clamp(0, 1), net(window, t), rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["4.0", "4.2", "4.6", "4.10"])
@torch.no_grad()
def test_ensemble_has_no_direction_of_time(name: str) -> None:
    window, t = windows(), torch.tensor([0.3])
    options = {"refine": False, "ensemble": True}
    net = build(network(name).flownet.state_dict(), Options(**options))
    torch.testing.assert_close(net(window.flip(1), 1 - t), net(window, t), rtol=0, atol=2e-5)
    alone = build(network(name).flownet.state_dict(), Options(refine=False))
    assert (alone(window.flip(1), 1 - t) - alone(window, t)).abs().max() > 1e-3


@torch.no_grad()
def test_wild_motion_is_doubled_for_each_sample_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    parity = SETS["v4.0_bigflow"]
    net = build(parity.state())
    wild = parity.cases[0].window
    calm = torch.zeros_like(wild)
    calm[..., 40:90, 60:120] = 0.1
    window, t = torch.cat((calm, wild, calm)), torch.tensor([0.5, 0.5, 0.4])
    alone = torch.cat([net(window[i : i + 1], t[i : i + 1]) for i in range(3)])
    torch.testing.assert_close(net(window, t), alone, rtol=0, atol=1e-5)
    monkeypatch.setattr(rife, "WILD", float("inf"))
    never = net(window, t)
    torch.testing.assert_close(never[::2], alone[::2], rtol=0, atol=1e-5)
    assert (never[1] - alone[1]).abs().max() > 0.05


@pytest.mark.parametrize("name", NETWORKS)
def test_gradient_reaches_every_weight(name: str) -> None:
    net = network(name)
    window = windows().requires_grad_()
    net(window, torch.tensor([0.5])).square().mean().backward()
    assert window.grad.abs().sum() > 0
    for key, weight in net.named_parameters():
        assert weight.grad is not None, key
        assert weight.grad.isfinite().all(), key
        assert weight.grad.abs().sum() > 0, key


@pytest.mark.parametrize("name", ["eccv", "eccv-m"])
def test_distillation_teaches_the_student_alone(name: str) -> None:
    torch.manual_seed(7)
    net = Rife(replace(NETWORKS[name], teacher=8))
    truth = windows()[:, 0].flip(-1)
    lesson = net.teach(windows(), torch.tensor([0.5]), truth)
    lesson.distillation.backward()
    assert lesson.distillation > 0
    assert net.flownet.block0.lastconv.weight.grad.abs().sum() > 0
    assert net.flownet.block_tea.lastconv.weight.grad is None
    with pytest.raises(InputError, match="built without its teacher"):
        network(name).teach(windows(), torch.tensor([0.5]), truth)
    with pytest.raises(InputError, match="have no teacher"):
        build(network(name).flownet.state_dict(), teacher=True)


@pytest.mark.parametrize("name", ["eccv-m", "eccv-dr", "4.0", "4.25"])
@torch.no_grad()
def test_a_time_per_pixel_may_be_the_same_everywhere(name: str) -> None:
    net, t = network(name), torch.tensor([0.3, 0.8])
    everywhere = t.reshape(-1, 1, 1, 1).expand(-1, 1, 64, 128)
    torch.testing.assert_close(net(windows(), everywhere), net(windows(), t), rtol=0, atol=2e-5)
    here_and_there = everywhere.clone()
    here_and_there[..., 64:] = 0.6
    made = net(windows(), here_and_there)
    assert (made - net(windows(), t))[..., 80:].abs().max() > 1e-3
    with pytest.raises(InputError, match=r"of shape \[1, 1, 32, 128\] was given: \[B, 1, 64, 128\] is needed"):
        net(windows(), everywhere[:1, :, :32])


def test_a_network_with_a_reference_is_not_trained() -> None:
    net = Rife(replace(NETWORKS["eccv-dr"], teacher=8))
    with pytest.raises(InputError, match="cannot be trained here"):
        net.teach(windows(), torch.tensor([0.5]), windows()[:, 0])


def test_input_that_does_not_suit() -> None:
    net, t = network("4.25"), torch.tensor([0.5])
    with pytest.raises(InputError, match=r"96x64 do not suit .*multiples of 64"):
        net(windows(width=96), t)
    with pytest.raises(InputError, match="needs 2 of the same shape"):
        net(windows()[:, :1], t)
    with pytest.raises(InputError, match="batch 2"):
        net(windows(2), torch.tensor([0.2, 0.4, 0.6]))
    with pytest.raises(InputError, match=r"only supports t = 0\.5, not "):
        network("eccv")(windows(), torch.tensor([0.25]))


@pytest.mark.parametrize("name", ["eccv_m", "v4.0_refine", "v4.2", "v4.6", "v4.10", "v4.22.lite", "v4.25"])
@torch.no_grad()
def test_half_precision_keeps_the_picture(name: str) -> None:
    net = build(SETS[name].state())
    window, t = windows(height=128), torch.tensor([0.5])
    whole = net(window, t)
    net.bfloat16()
    with halves.quick():
        half, same = net(window, t), net(window.bfloat16(), t)
    assert (half.dtype, same.dtype) == (torch.float32, torch.bfloat16)
    assert half.isfinite().all()
    assert psnr(half, whole) > 40


@pytest.mark.weights
@torch.no_grad()
def test_half_precision_keeps_the_picture_of_trained_weights(rife425_state: dict[str, Tensor]) -> None:
    window = load_file(DATA / "real" / "inputs.safetensors")["I2"].permute(0, 3, 1, 2)[None] / 255
    net, t = build(rife425_state), torch.tensor([0.5])
    whole = net(window, t)
    with halves.quick():
        assert psnr(net.bfloat16()(window, t), whole) > 40
