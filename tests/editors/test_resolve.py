"""The script for Resolve, against an object that has exactly the calls of Resolve's interface: Resolve itself cannot be run."""

from __future__ import annotations

import importlib.util
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tests" / "data" / "editors"
API = json.loads((DATA / "resolve_api.json").read_text(encoding="utf-8"))


class Object:
    """An object of Resolve: a call that the interface lacks, or with another number of arguments, fails the test."""

    def __init__(self, kind: str, **answers):
        self._kind, self._answers = kind, answers

    def __getattr__(self, name):
        constants, methods = API[self._kind]["constants"], API[self._kind]["methods"]
        if name in constants:
            return f"<{name}>"
        if name not in methods:
            if name.startswith(("_", "EXPORT_")):
                raise AttributeError(name)
            pytest.fail(f"{self._kind} has no {name}")
        least, most = methods[name]

        def call(*arguments):
            assert least <= len(arguments) <= most, f"{self._kind}.{name} takes {least} to {most} arguments: {arguments}"
            answer = self._answers[name]
            return answer(*arguments) if callable(answer) else answer

        return call


PROGRAM = """#!{python}
import json, shutil, sys
from pathlib import Path
words = sys.argv[1:]
Path({log!r}).write_text(json.dumps(words))
{body}
"""

MAKES = """
assert json.loads(Path(words[1]).read_text())["OTIO_SCHEMA"] == "Timeline.1"
shutil.copy(words[1], words[2])
sys.stderr.write("vfi: a note\\n")
print(json.dumps({{"output": words[2], "made": {made}, "left": {left}}}))
sys.exit({code})
"""
CLIP = {"clip": "ramp", "media": "/m/ramp.mov", "frames": 72, "start": 12}
LEFT = {"clip": "title", "reason": "a generator has no media", "line": None}


class Studio:
    """A Resolve with one project and one timeline, and a program that stands for vfi."""

    def __init__(self, tmp_path: Path):
        self.folder, self.log = tmp_path / "new media", tmp_path / "log"
        self.program = tmp_path / "the vfi"
        self.imported: list = []
        self.timelines = [self.timeline("My edit: 1/2")]
        pool = Object("MediaPool", ImportTimelineFromFile=self._import)
        self.project = Object(
            "Project",
            GetName="Film <1>",
            GetCurrentTimeline=lambda: self.timelines[0],
            GetMediaPool=pool,
            GetTimelineCount=lambda: len(self.timelines),
            GetTimelineByIndex=lambda index: self.timelines[index - 1],
        )
        self.resolve = Object("Resolve", GetProjectManager=Object("ProjectManager", GetCurrentProject=lambda: self.project))
        self.import_works = True

    def timeline(self, name, export=True):
        def written(path, kind, subkind):
            assert (kind, subkind) == ("<EXPORT_OTIO>", "<EXPORT_NONE>")
            if export:
                shutil.copy(DATA / "resolve_ramp.otio", path)
            return export

        return Object("Timeline", GetName=name, Export=written)

    def _import(self, path, options):
        assert set(options) == {"timelineName", "importSourceClips"}
        assert json.loads(Path(path).read_text())["OTIO_SCHEMA"] == "Timeline.1"
        self.imported.append((Path(path), options["timelineName"]))
        if not self.import_works:
            return None
        self.timelines.append(self.timeline(options["timelineName"]))
        return self.timelines[-1]

    def vfi(self, body):
        text = PROGRAM.format(python=sys.executable, log=str(self.log), body=body)
        self.program.write_text(text, encoding="utf-8")
        self.program.chmod(0o755)

    def makes(self, made=(CLIP,), left=(), code=0):
        self.vfi(MAKES.format(made=list(made), left=list(left), code=code))


@pytest.fixture
def studio(tmp_path) -> Studio:
    studio = Studio(tmp_path)
    studio.makes()
    return studio


@pytest.fixture
def run(studio, capsys):
    """Runs the installed script as Resolve's menu does; gives what it says."""
    path = ROOT / "vfi" / "editors" / "resolve_script.py"

    def run(resolve=None):
        spec = importlib.util.spec_from_file_location("resolve_script", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        module.PROGRAM, module.FOLDER = str(studio.program), str(studio.folder)
        module.main(studio.resolve if resolve is None else resolve)
        return capsys.readouterr().out.splitlines()

    return run


def test_a_new_timeline_is_made(studio, run):
    said = run()
    assert [name for _, name in studio.imported] == ["My edit: 1/2 smooth"]
    words = json.loads(studio.log.read_text())
    folder = studio.folder / "Film _1_"
    assert words[0] == "conform"
    assert words[2:] == [
        str(folder / "My edit_ 1_2.otio"), "--media", str(folder / "My edit_ 1_2 media"), "--json", "--codec", "prores",
    ]  # fmt: skip
    assert said[-1] == "Inbetween: My edit: 1/2 smooth: 1 clips have new frames"
    assert not Path(words[1]).exists()  # the export was temporary
    assert studio.timelines[0].GetName() == "My edit: 1/2"


def test_a_second_run_makes_another_timeline_and_keeps_the_media(studio, run):
    run()
    first = json.loads(studio.log.read_text())
    run()
    second = json.loads(studio.log.read_text())
    assert [name for _, name in studio.imported] == ["My edit: 1/2 smooth", "My edit: 1/2 smooth 2"]
    assert first[2] != second[2]
    assert first[4] == second[4]


def test_clips_that_are_left_are_shown_and_the_rest_is_imported(studio, run):
    studio.makes(left=[LEFT], code=3)
    said = run()
    assert "Inbetween: left as it was: title: a generator has no media" in said
    assert len(studio.imported) == 1


def test_nothing_to_do_imports_nothing(studio, run):
    studio.makes(made=[], left=[LEFT])
    said = run()
    assert said[-1].startswith("Inbetween: nothing to do")
    assert studio.imported == []
    assert list((studio.folder / "Film _1_").glob("*.otio")) == []


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("sys.exit('vfi: edit.otio has no video track')", "vfi made no timeline: vfi: edit.otio has no video track"),
        ("sys.exit(1)", "vfi made no timeline: it ended with code 1"),
        ("", "vfi made no timeline: it ended with code 0"),
        ("shutil.copy(words[1], words[2]); print('hello')", "vfi answered with something else than JSON"),
    ],
)
def test_what_vfi_says_is_told(studio, run, body, sentence):
    studio.vfi(body)
    assert sentence in run()[-1]
    assert studio.imported == []


def test_errors_of_resolve_are_told(studio, run):
    studio.import_works = False
    assert "Resolve could not import" in run()[-1]
    studio.timelines[0] = studio.timeline("x", export=False)
    assert run()[-1] == "Inbetween: Resolve could not export the timeline x"
    studio.timelines[0] = None
    assert run()[-1] == "Inbetween: no timeline is open"
    studio.project = None
    assert run()[-1] == "Inbetween: no project is open"
    assert run(False) == ["Inbetween: Resolve does not answer"]


def test_an_old_resolve_is_told(studio, run, monkeypatch):
    monkeypatch.setitem(API["Resolve"], "constants", ["EXPORT_NONE"])
    assert "version 18.5 or later is needed" in run()[-1]


def test_no_program_is_told(studio, run):
    studio.program.unlink()
    assert run()[-1].endswith("cannot be started (No such file or directory): run vfi editors install resolve")


def test_a_folder_that_cannot_be_made_is_told(studio, run):
    studio.folder.write_text("a file")
    assert "Not a directory" in run()[-1]


def test_the_script_needs_nothing_but_python():
    code = "import runpy, sys; sys.argv = ['x']; runpy.run_path(sys.argv.pop(), run_name='x')"
    path = str(ROOT / "vfi" / "editors" / "resolve_script.py")
    blocked = code.replace("sys.argv.pop()", repr(path))
    done = subprocess.run([sys.executable, "-I", "-S", "-c", blocked], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
