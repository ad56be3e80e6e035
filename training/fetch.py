"""Download the training data of the shipped weights: clips and stills of ComfyUI's workflow templates (MIT), from the package
index through pip.

    python training/fetch.py training/data

Writes DIR/clips, with one folder of PNG files per clip that `clips.txt` lists under its package, and DIR/stills. Stills whose
names suggest a video are left out: they may come from a clip used to measure quality.
"""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np

STILLS = "comfyui-workflow-templates-media-image==0.3.160"
MOVING = ("video", "wan", "ltx", "i2v", "t2v", "flf2v", "audio", "3d", "to_model")
SMALLEST = 256


def wheel(package: str, folder: Path) -> zipfile.ZipFile:
    subprocess.run([sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", folder, package], check=True)
    return zipfile.ZipFile(next(folder.glob(f"{package.split('==')[0].replace('-', '_')}*.whl")))


def pictures(data: bytes) -> list[np.ndarray]:
    """All frames of a WebP file, in OpenCV's channel order."""
    done, animation = cv2.imdecodeanimation(np.frombuffer(data, np.uint8))
    return [frame[..., :3] for frame in animation.frames] if done else []


def write(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), picture)


def listed() -> dict[str, set[str]]:
    """The names of the clips to fetch, by package."""
    packages: dict[str, set[str]] = {}
    for line in Path(__file__).with_name("clips.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            names = packages.setdefault(line.strip("[]"), set())
        elif line and not line.startswith("#"):
            names.add(line)
    return packages


def main(target: Path) -> None:
    stills = target / "stills"
    with TemporaryDirectory() as temporary:
        for package, names in listed().items():
            archive = wheel(package, Path(temporary))
            for entry in archive.namelist():
                name = entry.rpartition("/")[2]
                if name in names:
                    frames = pictures(archive.read(entry))
                    folder = target / "clips" / Path(name).stem if len(frames) > 1 else stills
                    for number, picture in enumerate(frames):
                        write(folder / (f"{number:04d}.png" if len(frames) > 1 else f"{Path(name).stem}.png"), picture)
        archive = wheel(STILLS, Path(temporary))
        for entry in archive.namelist():
            name = entry.rpartition("/")[2]
            if name.endswith(".webp") and not any(word in name for word in MOVING):
                frames = pictures(archive.read(entry))
                if len(frames) == 1 and min(frames[0].shape[:2]) >= SMALLEST:
                    write(stills / f"{Path(name).stem}.png", frames[0])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
