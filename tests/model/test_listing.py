from __future__ import annotations

from pathlib import Path

import pytest

from vfi.model import registry
from vfi.model.listing import listed, qualities_of
from vfi.model.quality import MEASURED, RUNGS
from vfi.model.terms import TERMS


@pytest.fixture
def rows(tmp_path: Path):
    (tmp_path / "film_net_fp32.safetensors").write_bytes(b"1234567")
    return {row.name: row for row in listed([tmp_path])}


def test_every_model_is_listed_with_its_licence_and_what_it_suits(rows):
    assert list(rows) == registry.names()
    assert {row.licence for row in rows.values()} <= set(TERMS)
    assert registry.suits().keys() == rows.keys()
    assert all(row.suits == row.suits.strip(". ") for row in rows.values())
    for row in rows.values():
        assert row.commercial is TERMS[row.licence].commercial, row.name
        assert TERMS[row.licence].url.startswith("https://")


def test_what_is_on_disk_is_found_with_its_size(rows, tmp_path: Path):
    film = rows["film"]
    assert (film.path, film.size, film.builtin) == (tmp_path / "film_net_fp32.safetensors", 7, False)
    assert (rows["rife-4.26"].path, rows["rife-4.26"].size, rows["rife-4.26"].sources) == (None, 22_674_688, ("hub",))
    assert (rows["dis"].path, rows["dis"].builtin, rows["dis"].licence) == (None, True, "MIT")


def test_each_quality_names_its_models():
    used = {name: qualities_of(name) for name in registry.names()}
    assert {quality for found in used.values() for quality in found} == set(RUNGS)
    assert used["linear"] == ("linear",)
    assert used["dis-fast"] == ("draft",)
    assert used["inbetween-s"] == ("fast",)
    assert used["rife-4.25"] == ("normal", "best")
    assert used["rife-4.0"] == used["dis"] == ("best",)
    assert used["film"] == ()


def test_the_measured_figures_are_those_of_the_readme():
    table = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    for name, figures in MEASURED.items():
        label = "`--quality draft`" if name == "dis-fast" else f"`{name}`"
        line = next(line for line in table.splitlines() if line.startswith(f"| {label}") and line.count("|") == 6)
        cells = [cell.strip() for cell in line.split("|")]
        assert (float(cells[2]), float(cells[5])) == (figures.psnr, figures.seconds), name
