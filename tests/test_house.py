"""The walls of the house: who may import whom, and what the library never does."""

from __future__ import annotations

import ast
import importlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from importlib import metadata
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LIBRARY = sorted((ROOT / "vfi").rglob("*.py"))
NODES = sorted((ROOT / "nodes").rglob("*.py"))

FLOORS = (
    ("core",),
    ("parse",),
    ("ops", "tracks", "editors", "timecode", "pages"),
    ("pixels",),
    ("archs", "timing", "timeline"),
    ("model", "clips", "sheets"),
    ("motion", "edit"),
    ("train", "tween", "render", "bench", "evidence", "paint"),
    ("serve",),
    ("__init__",),
    ("cli", "vapoursynth"),
    ("__main__",),
)
"""The rooms of the library from the ground up. A room imports only from floors below its own: never up, never across."""

COMFYUI = {"comfy", "comfy_api", "comfy_extras", "comfy_execution", "folder_paths", "server", "nodes", "execution"}
HEAVY = ("cv2", "av", "rich", "huggingface_hub", "safetensors", "numpy.random", "PIL")


def room(path: Path) -> str:
    return path.relative_to(ROOT / "vfi").with_suffix("").parts[0]


def floor(name: str) -> int:
    floors = [level for level, names in enumerate(FLOORS) if name in names]
    assert floors, f"vfi/{name} stands on no floor: give it one"
    return floors[0]


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def walk(path: Path) -> list[ast.AST]:
    """Every node of a module; several tests look at each."""
    return list(ast.walk(tree(path)))


def imports(path: Path) -> Iterator[tuple[int, str]]:
    """(level, dotted name) of each import, of ``from . import a, b`` one each."""
    for node in walk(path):
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from ((node.level, ".".join(filter(None, (node.module, alias.name)))) for alias in node.names)


def relative_target(path: Path, level: int, name: str) -> str:
    """The room of vfi that a relative import reaches."""
    package = path.relative_to(ROOT / "vfi").parent.parts
    inside = package[: len(package) - (level - 1)]
    target = (*inside, *name.split("."))[0]
    known = (ROOT / "vfi" / target).is_dir() or (ROOT / "vfi" / f"{target}.py").exists()
    return target if known else "__init__"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_library_knows_nothing_of_comfyui_and_imports_itself_relatively(path: Path):
    for level, name in imports(path):
        top = name.split(".")[0]
        assert level or top not in COMFYUI | {"vfi"}, f"{path.name} imports {name}"


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path):
    for level, name in imports(path):
        if level:
            here, target = room(path), relative_target(path, level, name)
            assert here == target or floor(target) < floor(here), (
                f"{path.relative_to(ROOT)} imports {target}: not from a floor below"
            )


def test_core_holds_no_networks_and_does_no_io():
    names = {name for _, name in imports(ROOT / "vfi" / "core.py")}
    assert not any(name.startswith(("torch.nn", "pathlib", "os", "io", "safetensors")) for name in names)


def test_only_nodes_know_comfyui():
    for path in sorted(ROOT.glob("*.py")):
        assert all(level or name.split(".")[0] not in COMFYUI for level, name in eager_imports(path)), path


def eager_imports(path: Path) -> Iterator[tuple[int, str]]:
    body = tree(path).body
    for node in body:
        if isinstance(node, ast.Import):
            yield from ((0, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.level, node.module or ""


@pytest.mark.parametrize("path", NODES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nodes_name_the_version_of_the_interface_that_they_were_written_for(path: Path):
    assert all(level or not name.startswith("comfy_api.latest") for level, name in imports(path)), "use comfy_api.v0_0_2"


@pytest.mark.parametrize("path", NODES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nodes_reach_the_library_relatively(path: Path):
    assert all(level or name.split(".")[0] != "vfi" for level, name in imports(path))


@pytest.mark.parametrize("path", [*LIBRARY, *NODES], ids=lambda path: str(path.relative_to(ROOT)))
def test_no_module_prints_swallows_errors_or_edits_the_path(path: Path):
    for node in walk(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "eval", "exec"), f"{path.name}:{node.lineno} calls {node.func.id}"
        if isinstance(node, ast.ExceptHandler):
            assert node.type is not None, f"{path.name}:{node.lineno} catches everything"
            silent = all(isinstance(statement, ast.Pass) for statement in node.body)
            assert not silent, f"{path.name}:{node.lineno} swallows an error"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) != ("sys", "path"), f"{path.name}:{node.lineno} touches sys.path"


def test_only_warp_samples_grids_for_it_knows_in_what_precision():
    found = [path.name for path in (*LIBRARY, *NODES) if calls(path, "grid_sample")]
    assert found == ["warp.py"]
    assert calls(ROOT / "vfi" / "ops" / "warp.py", "grid_sample") == 1


RUNS_CODE = {"eval", "exec", "compile", "__import__", "os.system", "os.popen", "marshal.load", "marshal.loads", "shelve.open"}
RUNS_CODE |= {"pickle.load", "pickle.loads", "torch.jit.load", "jit.load", "joblib.load", "dill.load", "dill.loads"}
RUNS_CODE |= {"yaml.load", "yaml.unsafe_load", "yaml.full_load", "torch.hub.load", "runpy.run_path", "pandas.read_pickle"}
"""Calls that may run what a file or a text says."""


@pytest.mark.parametrize("path", [*LIBRARY, *NODES], ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_runs_the_code_of_a_model_file(path: Path):
    for node in walk(path):
        if isinstance(node, ast.Call):
            said, given = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
            where = f"{path.name}:{node.lineno}"
            assert said not in RUNS_CODE, f"{where} calls {said}"
            assert said != "torch.load" or given.get("weights_only") == "True", f"{where} loads more than weights"
            assert given.get("allow_pickle", "False") == "False", f"{where} allows pickles"
            assert not {"trust_remote_code", "shell"} & given.keys(), f"{where} runs what it is given"
        if isinstance(node, ast.ImportFrom) and node.level == 0:  # so that no call hides behind a shorter name
            hidden = {f"{node.module}.{alias.name}" for alias in node.names} & (RUNS_CODE | {"torch.load", "torch.jit"})
            assert not hidden, f"{path.name}:{node.lineno} imports {hidden}"


SURE = {"int", "round", "floor", "ceil", "len", "comb", "float"}
"""Calls whose value is a number, whatever it is made from."""


@pytest.mark.parametrize("path", [*LIBRARY, *NODES], ids=lambda path: str(path.relative_to(ROOT)))
def test_fractions_are_made_of_what_cannot_be_a_text(path: Path):
    """``Fraction("1e999999999")`` never ends: texts go through `parse.number`, and values that may be one `parse.exact`."""
    if path == ROOT / "vfi" / "parse.py":
        return
    for node in walk(path):
        where = f"{path.name}:{getattr(node, 'lineno', 0)}"
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "Fraction" and node.args:
            value = node.args[0]
            number = isinstance(value, ast.BinOp | ast.UnaryOp) or (
                isinstance(value, ast.Constant) and isinstance(value.value, int | float)
            )
            number = number or (isinstance(value, ast.Call) and ast.unparse(value.func).split(".")[-1] in SURE)
            assert number or len(node.args) == 2, f"{where} makes a fraction of {ast.unparse(value)}: use number or exact"
        elif isinstance(node, ast.Call):  # as `map(Fraction, texts)` would
            passed = [ast.unparse(one) for one in (*node.args, *(word.value for word in node.keywords))]
            assert "Fraction" not in passed or ast.unparse(node.func) in ("isinstance", "cast"), f"{where} passes Fraction on"


@pytest.mark.parametrize(
    "wrong",
    [
        "Fraction(text)",
        'Fraction("1/3")',
        "fractions.Fraction(row[0])",
        "Fraction(match[1])",
        "list(map(Fraction, texts))",
        "Fraction(str(x))",
    ],
)
def test_a_fraction_of_a_text_is_found(tmp_path: Path, wrong: str):
    (tmp_path / "a.py").write_text(wrong)
    with pytest.raises(AssertionError, match=r"a\.py:1"):
        test_fractions_are_made_of_what_cannot_be_a_text(tmp_path / "a.py")


@pytest.mark.parametrize(
    "wrong",
    [
        "eval(x)",
        "exec(x)",
        "pickle.load(f)",
        "pickle.loads(b)",
        "torch.jit.load(p)",
        "torch.load(p)",
        "torch.load(p, weights_only=False)",
        "np.load(p, allow_pickle=True)",
        "from torch import load",
        "from torch.jit import load",
        "from pickle import loads as read",
        "yaml.load(t)",
        "marshal.loads(b)",
        "os.system(c)",
        "subprocess.run(c, shell=True)",
    ],
)
def test_what_runs_code_is_found(tmp_path: Path, wrong: str):
    (tmp_path / "a.py").write_text(wrong)
    with pytest.raises(AssertionError, match=r"a\.py:1"):
        test_nothing_runs_the_code_of_a_model_file(tmp_path / "a.py")


def regexes(path: Path) -> Iterator[tuple[str, str]]:
    """(pattern, method of `re`) of each regular expression that a module uses, except those made from its data."""
    module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
    named = {}
    for node in tree(path).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and ast.unparse(node.value.func) == "re.compile":
            assert isinstance(node.targets[0], ast.Name)
            named[node.targets[0].id] = getattr(importlib.import_module(module), node.targets[0].id).pattern
    for node in walk(path):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name):
            if node.func.value.id == "re" and node.args and isinstance(node.args[0], ast.Constant):
                yield str(node.args[0].value), node.func.attr
            elif node.func.value.id in named:
                yield named[node.func.value.id], node.func.attr


HURRY = """
import itertools, json, re, sys
parser = getattr(re, "_parser", None) or __import__("sre_parse")
SAMPLES = {"CATEGORY_DIGIT": "1", "CATEGORY_SPACE": " ", "CATEGORY_WORD": "a"}

def classes(tree):
    for code, value in tree:
        if str(code) == "LITERAL":
            yield chr(value)
        elif str(code) == "RANGE":
            yield chr(value[0])
        elif str(code) == "CATEGORY":
            yield SAMPLES.get(str(value), "~")
        elif str(code) in ("ANY", "NOT_LITERAL"):
            yield "~"
        elif str(code) == "IN":
            yield from classes(value)
        elif str(code) == "BRANCH":
            yield from itertools.chain.from_iterable(map(classes, value[1]))
        elif isinstance(value, tuple):
            yield from itertools.chain.from_iterable(classes(part) for part in value if isinstance(part, parser.SubPattern))

for pattern, method in json.loads(sys.stdin.read()):
    print(repr(pattern), flush=True)
    read = re.compile(pattern)
    for one, end in itertools.product(set(classes(parser.parse(pattern))), ("", "!", "1")):
        text = one * 100_000 + end
        getattr(read, method)(*(("", text) if method == "sub" else (text,)))
"""


def test_every_regular_expression_takes_time_in_proportion_to_its_text():
    found = sorted({pair for path in (*LIBRARY, *NODES) for pair in regexes(path)})
    assert len(found) > 25
    given = json.dumps([(pattern, method) for pattern, method in found if method != "compile"])
    code = [sys.executable, "-c", HURRY]  # a process of its own, since `re` hears no signal; a quadratic one takes minutes
    try:
        subprocess.run(code, input=given, capture_output=True, text=True, check=True, timeout=60)
    except subprocess.TimeoutExpired as error:
        pytest.fail(f"quadratic: {(error.stdout or b'').decode().splitlines()[-1]}")


def calls(path: Path, name: str) -> int:
    """How often a module calls a function of that name, by whatever path."""
    nodes = [node.func for node in walk(path) if isinstance(node, ast.Call)]
    return sum(name in (getattr(node, "attr", None), getattr(node, "id", None)) for node in nodes)


@pytest.mark.parametrize("path", [*LIBRARY, *NODES], ids=lambda path: str(path.relative_to(ROOT)))
def test_every_module_says_what_it_is(path: Path):
    if path.read_text(encoding="utf-8").strip():
        assert ast.get_docstring(tree(path))


def test_the_library_needs_torch_alone_to_import():
    blocked = "; ".join(f"sys.modules[{name!r}] = None" for name in HEAVY)
    code = f"import sys; {blocked}; import vfi; assert 'dis' in vfi.models()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_library_changes_nothing_in_the_process():
    code = "import os; before = dict(os.environ); from vfi import *; import vfi.__main__; assert dict(os.environ) == before"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_comfyui_is_asked_for_what_the_library_needs():
    tomllib = pytest.importorskip("tomllib")
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["dependencies"]
    listed = [line for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines() if not line.startswith("#")]
    assert ["torch>=2.10", *listed] == wanted


def pinned(name: str) -> dict[str, str]:
    """The versions in a file of pinned packages, by name."""
    lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
    found = [line.split(";")[0].split(" ")[0].split("==") for line in lines if re.match(r"[A-Za-z]", line)]
    return {package.lower().replace("_", "-"): version for package, version in found}


def test_the_hashes_are_those_of_the_constraints():
    wanted, hashed = pinned("constraints.txt"), pinned("constraints-hashes.txt")
    del wanted["torch"]
    assert hashed == wanted, "run .ci/hashes --write"
    text = (ROOT / "constraints-hashes.txt").read_text(encoding="utf-8")
    packages = [part for part in text.split("\n") if "==" in part]
    assert all(part.endswith(" \\") for part in packages), "each has a hash"
    assert len(re.findall(r"--hash=sha256:[0-9a-f]{64}\b", text)) >= len(packages)


def test_the_lowest_versions_are_those_of_the_project():
    found = subprocess.run(
        [sys.executable, str(ROOT / ".ci" / "lowest.py"), "test"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert all(re.fullmatch(r"[\w-]+==[\d.]+(;.*)?", line) for line in found)
    assert any(line.startswith("torch==") for line in found)
    assert len(found) > 15


def test_what_security_says_is_tested_is_there():
    text = (ROOT / "SECURITY.md").read_text(encoding="utf-8")
    promised = text.partition("## What is promised")[2].partition("\n## ")[0]
    rows = [row for row in promised.splitlines() if row.startswith("| ")][1:]
    assert len(rows) > 8
    for row in rows:
        tests = row.split("|")[2]
        named = re.findall(r"`([^`]+)`", tests)
        files = [ROOT / name for name in named if "/" in name]
        assert files, f"no test is named: {row}"
        assert all(path.exists() for path in files), row
        texts = [one.read_text(encoding="utf-8") for path in files for one in ([path] if path.is_file() else path.glob("*.py"))]
        for word in (name for name in named if "/" not in name):
            assert any(word in one for one in texts), f"{word} is in none of {named}"
    for script in re.findall(r"`(\.ci/\w+)", text):
        assert (ROOT / script).exists(), script


@pytest.mark.exhaustive
def test_the_bill_of_materials_names_what_is_installed(tmp_path: Path):
    line = [str(ROOT / ".ci" / "sbom"), str(tmp_path / "bill.json"), sys.executable]
    done = subprocess.run(line, capture_output=True, text=True, check=False)
    if done.returncode and "pip" in done.stderr and not os.environ.get("CI"):
        pytest.skip("the package index is out of reach")
    assert done.returncode == 0, done.stderr
    bill = json.loads((tmp_path / "bill.json").read_text(encoding="utf-8"))
    assert bill["bomFormat"] == "CycloneDX"
    assert bill["metadata"]["component"]["name"] == "inbetween-vfi"
    versions = {part["name"].lower().replace("_", "-"): part["version"] for part in bill["components"]}
    for package in ("torch", "av", "numpy", "safetensors", "opencv-python"):
        assert versions[package] == metadata.version(package)
