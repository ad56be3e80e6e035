"""What a person is told of each model before choosing one: its licence, its purpose, its place on the ladder, its figures."""

from __future__ import annotations

from pathlib import Path

from vfi.model import registry
from vfi.model.load import qualities_of
from vfi.model.quality import MEASURED, RUNGS
from vfi.model.terms import TERMS


def test_every_licence_is_told_in_words():
    for row in registry.published().values():
        assert row.licence in TERMS, row.name
        assert row.commercial is TERMS[row.licence].commercial, row.name
    for terms in TERMS.values():
        assert terms.says.endswith(".")
        assert terms.url.startswith("https://") or terms.commercial is None


def test_every_model_says_what_it_suits():
    told = [registry.suits(name) for name in (*registry.builtins(), *registry.published())]
    assert all(suits and suits == suits.strip(". ") for suits in told)


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
