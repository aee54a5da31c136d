"""The papers that the shipped algorithms name."""

from __future__ import annotations

import re

import pytest

from tests.card.conftest import RECIPES

YEARS = {
    "sddcgan": ("1705.07904", 2018, "Chris Donahue"),
    "sdbegan": ("1705.07904", 2018, "Chris Donahue"),
    "discogan": ("1703.05192", 2017, "Taeksoo Kim"),
    "sggan": ("1805.07509", 2018, "Jichao Zhang"),
    "stargan": ("1711.09020", 2018, "Yunjey Choi"),
    "infogan-cr": ("1906.06034", 2020, "Zinan Lin"),
    "factor-vae": ("1802.05983", 2018, "Hyunjik Kim"),
}


@pytest.mark.parametrize("name", RECIPES)
def test_every_paper_is_named_in_full(name, plugins):
    paper = plugins.registry("algorithms").get(name).load().paper
    if name not in YEARS:
        assert paper is None, "it follows no one paper"
        return
    number, year, first = YEARS[name]
    assert (paper.url, paper.year, paper.authors[0]) == (f"https://arxiv.org/abs/{number}", year, first)
    assert str(year) in paper.venue and len(set(paper.authors)) == len(paper.authors)
    sentences = [*paper.differences, *paper.limits]
    assert paper.differences and paper.limits and all(re.fullmatch(r"[A-Z].*\.", each) for each in sentences)
    assert f"title = {{{{{paper.title}}}}}" in paper.bibtex()
