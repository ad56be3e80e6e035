"""``vfi editors``: what is installed where, twice is once, and nothing is left after."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from vfi import __main__
from vfi.cli.command import command
from vfi.editors import kdenlive, resolve
from vfi.editors.kconfig import entry

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the folders of Linux")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a space, and a program of the name vfi on PATH."""
    home = tmp_path / "the home"
    tools = home / "my tools"
    tools.mkdir(parents=True)
    (tools / "vfi").write_text("#!/bin/sh\n")
    (tools / "vfi").chmod(0o755)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("PATH", f"{tools}:{os.environ['PATH']}")
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    return home


def vfi(*words: object) -> int:
    return __main__.main([str(word) for word in words])


def rc(home: Path) -> Path:
    return home / ".local" / "share" / "kdenlive" / "clipjobsettings.rc"


def test_kdenlive_gets_its_jobs_once(home, capsys):
    assert vfi("editors", "install", "kdenlive") == 0
    text = rc(home).read_bytes()
    assert vfi("editors", "install", "kdenlive") == 0
    assert rc(home).read_bytes() == text
    for name, job in kdenlive.JOBS.items():
        key = f"inbetween-{name}"
        assert entry(text, "Binary", key) == str(home / "my tools" / "vfi")
        assert entry(text, "Ids", key) == job.title
        assert entry(text, "EnabledTypes", key) == "v"
        words = entry(text, "Parameters", key).split(" ")
        assert words[:3] == ["interpolate", "{source}", "{output}"]
        assert words[-2:] == ["--progress", "percentage"]
    assert len({job.ending for job in kdenlive.JOBS.values()}) == len(kdenlive.JOBS)
    assert vfi("editors", "uninstall", "kdenlive") == 0
    assert not rc(home).exists()
    assert vfi("editors", "uninstall", "kdenlive") == 0
    assert "nothing was installed" in capsys.readouterr().err


def test_other_jobs_stay_to_the_byte(home):
    rc(home).parent.mkdir(parents=True)
    before = b"# mine\n[Ids]\nx=My job\n\n[Binary]\nx=/usr/bin/ffmpeg"
    rc(home).write_bytes(before)
    rc(home).chmod(0o640)
    vfi("editors", "install", "kdenlive")
    assert rc(home).read_bytes().startswith(before)
    assert rc(home).stat().st_mode & 0o777 == 0o640
    vfi("editors", "uninstall", "kdenlive")
    assert rc(home).read_bytes() == before
    assert [path.name for path in rc(home).parent.iterdir()] == [rc(home).name]


def test_a_linked_file_stays_a_link(home):
    rc(home).parent.mkdir(parents=True)
    (home / "dotfiles.rc").write_bytes(b"[Ids]\nx=1\n")
    rc(home).symlink_to(home / "dotfiles.rc")
    vfi("editors", "install", "kdenlive")
    assert rc(home).is_symlink()
    assert b"inbetween-slow-2" in (home / "dotfiles.rc").read_bytes()


def test_xdg_data_home_counts_if_it_is_absolute(home, monkeypatch):
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "data"))
    vfi("editors", "install", "kdenlive")
    assert (home / "data" / "kdenlive" / "clipjobsettings.rc").is_file()
    monkeypatch.setenv("XDG_DATA_HOME", "data")
    vfi("editors", "install", "kdenlive")
    assert rc(home).is_file()


def test_the_flatpak_starts_the_program_outside(home, tmp_path, capsys):
    (home / ".var" / "app" / "org.kde.kdenlive" / "data").mkdir(parents=True)
    assert vfi("editors", "install", "kdenlive") == 2  # parameters are split at spaces, and quotes are none
    assert "has a space in its path" in capsys.readouterr().err
    assert not rc(home).exists()
    program = tmp_path / "vfi"
    shutil.copy(home / "my tools" / "vfi", program)
    assert vfi("editors", "install", "kdenlive", "--program", program) == 0
    assert "flatpak override --user --talk-name=org.freedesktop.Flatpak org.kde.kdenlive" in capsys.readouterr().err
    text = (home / ".var/app/org.kde.kdenlive/data/kdenlive/clipjobsettings.rc").read_bytes()
    assert entry(text, "Binary", "inbetween-to-60") == "/usr/bin/flatpak-spawn"
    assert entry(text, "Parameters", "inbetween-to-60").startswith(
        f"--host --watch-bus {program} interpolate {{source}} {{output}} "
    )
    capsys.readouterr()
    assert vfi("editors", "list", "--json") == 0
    told = {one["editor"]: one["program"] for one in json.loads(capsys.readouterr().out)}
    assert told == {"kdenlive": str(program), "kdenlive (Flatpak)": str(program), "resolve": None}


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("two  spaces/vfi", "several spaces"),
        ("vfi-ffmpeg", "ffmpeg in its name"),
        ("tab\tvfi", "a tab"),
        ("a /vfi", None),
    ],
)
def test_what_kdenlive_cannot_start_is_refused(home, tmp_path, capsys, name, sentence):
    program = tmp_path / name
    program.parent.mkdir(exist_ok=True)
    shutil.copy(home / "my tools" / "vfi", program)
    assert vfi("editors", "install", "kdenlive", "--program", program) == (2 if sentence else 0)
    assert (sentence or "clip jobs") in capsys.readouterr().err
    assert rc(home).exists() == (sentence is None)


def test_no_program_is_a_sentence(home, monkeypatch, capsys):
    monkeypatch.setenv("PATH", str(home))
    for editor in ("kdenlive", "resolve"):
        assert vfi("editors", "install", editor) == 2
        assert "the command vfi is not on PATH: give its path as --program" in capsys.readouterr().err
        assert vfi("editors", "install", editor, "--program", home / "nothing") == 2
        assert "is not a program" in capsys.readouterr().err
    assert not rc(home).exists()


def test_a_file_that_cannot_be_read_is_a_sentence(home, capsys):
    rc(home).mkdir(parents=True)
    for word in ("install", "uninstall"):
        assert vfi("editors", word, "kdenlive") == 2
        assert "cannot be read: Is a directory" in capsys.readouterr().err


def test_the_words_of_the_jobs_are_understood(home, tmp_path):
    """Each job's words, as Kdenlive splits and fills them, are what the command takes."""
    vfi("editors", "install", "kdenlive")
    for name, job in kdenlive.JOBS.items():
        filled = entry(rc(home).read_bytes(), "Parameters", f"inbetween-{name}").split(" ")
        source, output = str(tmp_path / "no clip.mp4"), str(tmp_path / f"no clip{job.ending}")
        words = [word.replace("{source}", source).replace("{output}", output) for word in filled]
        assert command(words) == 2  # the clip is missing, the words are not


def test_resolve_gets_its_script(home, capsys):
    path = home / ".local/share/DaVinciResolve/Fusion/Scripts/Edit/Inbetween.py"
    media = home / "my ‘media’"
    for _ in range(2):
        assert vfi("editors", "install", "resolve", "--media", media) == 0
    text = path.read_text(encoding="utf-8")
    assert f"PROGRAM = {str(home / 'my tools' / 'vfi')!r}\n" in text
    assert f"FOLDER = {str(media)!r}\n" in text
    subprocess.run([sys.executable, "-I", "-m", "py_compile", str(path)], check=True)
    capsys.readouterr()
    vfi("editors", "list")
    assert f"resolve: not found; starts {home / 'my tools' / 'vfi'} (" in capsys.readouterr().out
    assert vfi("editors", "uninstall", "resolve") == 0
    assert not path.exists()
    assert vfi("editors", "uninstall", "resolve") == 0
    assert "nothing was installed" in capsys.readouterr().err


def test_the_list_tells_which_editors_are_found(home, monkeypatch, capsys):
    vfi("editors", "install", "kdenlive")
    vfi("editors", "install", "resolve")
    monkeypatch.setenv("PATH", str(home))
    capsys.readouterr()
    vfi("editors")  # what we made ourselves is no sign of an editor
    assert [line.partition(";")[0] for line in capsys.readouterr().out.splitlines()] == [
        "kdenlive: not found",
        "resolve: not found",
    ]
    (rc(home).parent / "profiles").mkdir()
    (home / ".local/share/DaVinciResolve/logs").mkdir()
    vfi("editors", "list", "--json")
    assert [one["found"] for one in json.loads(capsys.readouterr().out)] == [True, True]


def test_the_script_of_another_stays(home, capsys):
    path = home / ".local/share/DaVinciResolve/Fusion/Scripts/Edit/Inbetween.py"
    path.parent.mkdir(parents=True)
    path.write_text("print('mine')\n")
    for word in ("install", "uninstall"):
        assert vfi("editors", word, "resolve") == 2
        assert "is another script" in capsys.readouterr().err
    assert path.read_text() == "print('mine')\n"


@pytest.mark.parametrize(
    ("platform", "variables", "expected"),
    [
        ("linux", {}, "the home/.local/share/DaVinciResolve/Fusion/Scripts/Edit"),
        ("darwin", {}, "the home/Library/Application Support/Blackmagic Design/DaVinci Resolve/Fusion/Scripts/Edit"),
        ("win32", {"APPDATA": "/roaming"}, "/roaming/Blackmagic Design/DaVinci Resolve/Support/Fusion/Scripts/Edit"),
    ],
)
def test_folders_of_resolve(home, monkeypatch, platform, variables, expected):
    monkeypatch.setattr(sys, "platform", platform)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert resolve.folder() == home.parent / expected
