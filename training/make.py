"""Make shipped weights again: fetch the data and the model to start from, train by the recipes in turn, and install the result.

    python training/make.py inbetween-m

Everything is kept in `training/data` and `training/out`; the same command resumes where it stopped.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import fetch

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "vfi/model/weights/shipped"


@dataclass(frozen=True)
class Made:
    """How weights are made: recipes in turn, each from the weights of the one before; ``needs`` are models to be on disk."""

    recipes: tuple[str, ...]
    needs: tuple[str, ...] = ("rife-4.25",)


WEIGHTS = {
    "inbetween-m": Made(("inbetween-m.toml",)),
    "inbetween-s": Made(("inbetween-s.toml", "inbetween-s-tuned.toml")),
}


def vfi(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, "-m", "vfi", *map(str, arguments)], check=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", choices=WEIGHTS)
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    asked = parser.parse_args()
    made = WEIGHTS[asked.name]
    fetched = HERE / "data/.fetched"
    if not fetched.is_file():
        fetch.main(HERE / "data")
        fetched.touch()
    for name in made.needs:
        vfi("models", "fetch", name)
    start: tuple[str | Path, ...] = ()
    for recipe in made.recipes:
        out = HERE / "out" / Path(recipe).stem
        vfi("train", HERE / recipe, "--out", out, "--data", HERE / "out/data", "--device", asked.device, *start)
        start = ("--start", out / "weights.safetensors")
    vfi("models", "convert", start[1], SHIPPED / f"{asked.name.replace('-', '_')}.safetensors", "--force")


if __name__ == "__main__":
    main()
