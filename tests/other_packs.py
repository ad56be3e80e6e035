"""Workflows of other packs, as a browser saves them: their API form, and how many frames these packs make of them.

The formulas are those of the packs' own code, read in August 2026; the files are typed anew.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parent / "data" / "other_packs"

COMMON = ["ckpt_name", "clear_cache_after_n_frames", "multiplier"]
WIDGETS = {
    "RIFE VFI": [*COMMON, "fast_mode", "ensemble", "scale_factor", "dtype", "torch_compile", "batch_size"],
    "FILM VFI": COMMON,
    "IFRNet VFI": [*COMMON, "scale_factor"],
    "AMT VFI": COMMON,
    "GMFSS Fortuna VFI": COMMON,
    "IFUnet VFI": [*COMMON, "scale_factor", "ensemble"],
    "M2M VFI": COMMON,
    "CAIN VFI": COMMON,
    "Sepconv VFI": COMMON,
    "ATM VFI": [*COMMON, "global_motion"],
    "MOMO VFI": [*COMMON, "num_inference_steps"],
    "FLAVR VFI": [*COMMON, "duplicate_first_last_frames"],
    "STMFNet VFI": [*COMMON, "duplicate_first_last_frames"],
    "Make Interpolation State List": ["frame_indices", "is_skip_list"],
    "DownloadAndLoadGIMMVFIModel": ["model", "precision", "torch_compile"],
    "GIMMVFI_interpolate": ["ds_factor", "interpolation_factor", "seed", "", "output_flows"],
    "RIFEInterpolation": ["source_fps", "target_fps", "scale", "model_name", "batch_size", "use_fp16"],
    "RIFE_VFI_Opt": ["ckpt_name", "multiplier", "scale_factor", "ensemble", "clear_cache_after_n_frames"],
    "RIFE_FPS_Resample": [
        "ckpt_name", "fps_in", "fps_out", "scale_factor", "ensemble", "linearize", "lf_guardrail", "lf_sigma",
        "source_pair_match", "match_a_cap", "match_b_cap", "edge_band_lock", "tau_low", "tau_high", "band_radius",
        "band_soft_sigma", "clear_cache_after_n_frames",
    ],
    "LoadVideo": ["file"],
    "GetVideoComponents": [],
    "SaveImage": ["filename_prefix"],
}  # fmt: skip
"""The widgets of each node, in order; the unnamed one, after a seed, is no input of the node."""

FRAMES: dict[str, Callable[[int], int]] = {
    "rife": lambda n: (n - 1) * 3 + 1,
    "rife_new": lambda n: (n - 1) * 2 + 1,
    "film": lambda n: (n - 1) * 4 + 1,
    "ifrnet": lambda n: (n - 1) * 2 + 1,
    "amt": lambda n: (n - 1) * 2 + 1,
    "gmfss": lambda n: (n - 1) * 2 + 1,
    "ifunet": lambda n: (n - 1) * 2 + 1,
    "m2m": lambda n: (n - 1) * 3 + 1,
    "cain": lambda n: (n - 1) * 2 + 1,
    "sepconv": lambda n: (n - 1) * 2 + 1,
    "atm": lambda n: (n - 1) * 2 + 1,
    "momo": lambda n: (n - 1) * 2 + 1,
    "stmfnet": lambda n: n + (n - 3),
    "flavr": lambda n: n + (n - 3),
    "flavr_ends": lambda n: n + (n - 3) + 2,
    "gaclove": lambda n: int(n / 16 * 25),
    "whiterabbit": lambda n: (n - 1) * 3 + 1,
    "whiterabbit_fps": lambda n: int((n - 1) * 60 / 16) + 1,
    "skips_rife": lambda n: n + 2 * (n - 1 - 2),
    "skips_film": lambda n: 3 * (n - 1 - 2) + 1,
    "gimm": lambda n: (n - 1) * 4 + 1,
}
"""How many frames become of n, by the name of the file; pairs 1 and 3 of the last but one and two are skipped."""


def graph(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def api_form(name: str) -> dict[str, Any]:
    """What the packs' own nodes would be sent: inputs that are not connected are absent, as is all that only browsers know."""
    drawn = graph(name)
    links = {link[0]: [str(link[1]), link[2]] for link in drawn["links"]}
    form = {}
    for node in drawn["nodes"]:
        inputs = {widget: value for widget, value in zip(WIDGETS[node["type"]], node["widgets_values"], strict=False) if widget}
        inputs |= {slot["name"]: links[slot["link"]] for slot in node["inputs"] if slot["link"] is not None}
        form[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return form
