"""The archive of Comfy Registry: the files that git tracks without those of ``.comfyignore``, as comfy-cli packs them."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.coroutines import finished

ROOT = Path(__file__).parents[2]
PACKED = "inbetween_packed"
NEEDED = ("nodes", "js", "vfi", "subgraphs", "locales", "example_workflows", "examples")
"""Folders that the pack needs when it runs, as far as there are any."""
SOURCES = {"locales/texts.json"}
"""Files of these that others are generated from, and nothing else reads."""
WEIGHTS = "vfi/model/weights/shipped/"
MOST = 4 * 2**20
"""The most bytes beside the weights."""


def listed(*options: str) -> set[str]:
    done = subprocess.run(["git", "ls-files", "-z", *options], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip("the tree is no checkout of git")
    return {name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()}


@pytest.fixture(scope="module")
def packed(tmp_path_factory) -> tuple[set[str], zipfile.ZipFile]:
    """The names in the archive, and the archive."""
    names = listed() - listed("--cached", "--ignored", "--exclude-from=.comfyignore")
    path = tmp_path_factory.mktemp("archive") / "node.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(names):
            archive.write(ROOT / name, name)
    return names, zipfile.ZipFile(path)


def test_it_is_small(packed):
    _, archive = packed
    size = sum(one.compress_size for one in archive.infolist() if not one.filename.startswith(WEIGHTS))
    assert size < MOST, (
        f"{size} bytes; the largest are {sorted((one.compress_size, one.filename) for one in archive.infolist())[-5:]}"
    )


def test_it_holds_what_runs_and_nothing_that_only_a_developer_needs(packed):
    names, _ = packed
    assert names >= {"__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "README.md", "CHANGELOG.md"}
    for folder in NEEDED:
        assert names >= {name for name in listed() if name.startswith(f"{folder}/")} - SOURCES, folder
    assert not names & SOURCES
    assert all(name.isascii() and not set(name) & set('"\\') for name in names), "comfy-cli loses names that git quotes"
    assert not {name.split("/")[0] for name in names} & {"tests", "training", "benchmarks", ".ci", ".github"}


def test_the_pack_loads_from_it(packed, nodes, tmp_path):
    _, archive = packed
    folder = tmp_path / "any-name"
    archive.extractall(folder)
    spec = importlib.util.spec_from_file_location(PACKED, folder / "__init__.py", submodule_search_locations=[str(folder)])
    module = importlib.util.module_from_spec(spec)
    sys.modules[PACKED] = module
    try:
        spec.loader.exec_module(module)
        extension = finished(module.comfy_entrypoint())
        found = {node.define_schema().node_id for node in finished(extension.get_node_list())}
        assert found == set(nodes)
        assert (folder / module.WEB_DIRECTORY).is_dir()
        loaded = [Path(each.__file__) for name, each in sys.modules.items() if name.startswith(f"{PACKED}.") and each.__file__]
        assert len(loaded) > 50
        assert all(folder in path.parents for path in loaded)
    finally:
        for name in [name for name in sys.modules if name == PACKED or name.startswith(f"{PACKED}.")]:
            del sys.modules[name]


def test_the_registry_is_told_one_version_and_one_address():
    tomllib = pytest.importorskip("tomllib")
    told = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    project, comfy = told["project"], told["tool"]["comfy"]
    version = re.search(r'^__version__ = "(.+)"$', (ROOT / "vfi" / "__init__.py").read_text(encoding="utf-8"), re.MULTILINE)[1]
    assert project["version"] == version
    assert f"\n## {version} - " in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    home = project["urls"]["Repository"]
    owner = home.removeprefix("https://github.com/")
    assert all(url.startswith(home) for url in project["urls"].values())
    assert f"github.repository == '{owner}'" in (ROOT / ".github" / "workflows" / "publish.yml").read_text(encoding="utf-8")
    for key in ("Icon", "Banner"):
        place = comfy[key].removeprefix(f"https://raw.githubusercontent.com/{owner}/main/")
        assert place in listed(), place
    assert not any(each.startswith("Environment :: ") for each in project["classifiers"])  # see the comment there
