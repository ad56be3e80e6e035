"""What a person is told of each model before choosing one: its licence, its purpose, its place on the ladder, its figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.figures import HELP, README, page, readme
from vfi.model import registry
from vfi.model.load import AUTO, qualities_of
from vfi.model.quality import MEASURED, RUNGS, members
from vfi.model.terms import TERMS


def test_every_licence_is_told_in_words():
    for row in registry.rows().values():
        assert row.licence in TERMS, row.name
        assert row.commercial is TERMS[row.licence].commercial, row.name
    for terms in TERMS.values():
        assert terms.says.endswith(".")
        assert terms.url.startswith("https://") or terms.commercial is None


def test_every_model_says_what_it_suits():
    told = [registry.suits(name) for name in registry.names()]
    assert all(suits and suits == suits.strip(". ") for suits in told)


def test_each_quality_names_its_models():
    used = {name: qualities_of(name) for name in registry.names()}
    assert {quality for found in used.values() for quality in found} == set(RUNGS)
    assert used["linear"] == ("linear",)
    assert used["dis-fast"] == ("draft",)
    assert "normal" in used[AUTO[0]]
    assert all("best" in used[str(member.source)] for member in members("best", there=lambda name: True))
    assert used["film"] == ()


@pytest.mark.parametrize(("path", "change"), [(README, readme), (HELP, page)])
def test_the_figures_of_pages_are_those_of_the_ladder(path: Path, change: Callable[[str], str]):
    text = path.read_text(encoding="utf-8")
    assert change(text) == text, "run python -m tests.figures"


def test_every_measured_model_is_known():
    assert set(MEASURED) <= set(registry.names())
    assert all(figures.psnr > 15 and figures.seconds > 0 for figures in MEASURED.values())
