"""Names and what they stand for."""

from __future__ import annotations

import pytest

from imgen.errors import PluginError, RecipeError, near_miss
from imgen.registry import Entry, Registry


def thing():
    """What it is.

    More of it.
    """


@pytest.fixture
def registry():
    made = Registry("algorithms")
    for name in ("sdbegan", "sd-dcgan", "info-gan"):
        made.add(Entry("algorithms", name, "mine", thing))
    return made


def test_found_by_name_with_either_separator(registry):
    assert registry.get("sd-dcgan") is registry.get("sd_dcgan") is registry.get("SD_DCGAN")
    assert "sd-dcgan" in registry and "sd_dcgan" not in registry
    assert [entry.name for entry in registry] == ["info-gan", "sd-dcgan", "sdbegan"]
    assert len(registry) == 3


def test_an_unknown_name_lists_near_ones(registry):
    with pytest.raises(RecipeError, match=r"^no algorithm is called 'sdbegn'; did you mean 'sdbegan'") as caught:
        registry.get("sdbegn")
    assert "info-gan" not in str(caught.value)
    with pytest.raises(RecipeError, match="there are info-gan, sd-dcgan, sdbegan"):
        registry.get("quite different")
    with pytest.raises(RecipeError, match="there are none"):
        Registry("metrics").get("fid")


def test_a_taken_name_names_both_plugins_and_stays(registry):
    first = registry.get("sdbegan")
    with pytest.raises(PluginError, match=r"'other' registers 'sdbegan' .* 'mine' already has"):
        registry.add(Entry("algorithms", "sdbegan", "other", thing))
    assert registry.get("sdbegan") is first


@pytest.mark.parametrize("name", ["", "Big", "under_score", "a b", "a/b", "../x", "a.b"])
def test_names_are_kebab_case(registry, name):
    with pytest.raises(PluginError, match="kebab-case"):
        registry.add(Entry("algorithms", name, "mine", thing))


def test_summary_is_the_first_line_and_imports_nothing(tmp_path, monkeypatch):
    (tmp_path / "heavy_module.py").write_text('raise SystemExit("imported")\nclass Big:\n    """Heavy things."""\n')
    monkeypatch.syspath_prepend(tmp_path)
    assert Entry("models", "a", "mine", thing).summary == "What it is"
    assert Entry("models", "a", "mine", "heavy_module:Big").summary == "Heavy things"
    assert Entry("models", "a", "mine", "heavy_module:Other").summary == ""
    assert Entry("models", "a", "mine", "no_such_module_at_all:Other").summary == ""


def test_summary_of_a_recipe_is_its_first_comment(tmp_path):
    (tmp_path / "a.yaml").write_text("# Does this\n# and that\nx: 1\n")
    (tmp_path / "b.yaml").write_text("x: 1\n")
    assert Entry("recipes", "a", "mine", tmp_path / "a.yaml").summary == "Does this"
    assert Entry("recipes", "b", "mine", tmp_path / "b.yaml").summary == ""
    assert Entry("recipes", "c", "mine", tmp_path / "missing.yaml").summary == ""


def test_a_reference_that_cannot_be_imported_names_the_plugin():
    for reference in ("no_such_module_at_all:x", "imgen.errors:nothing"):
        with pytest.raises(PluginError, match=r"^plugin 'mine': model 'a' cannot be imported from"):
            Entry("models", "a", "mine", reference).load()
    assert Entry("models", "a", "mine", "imgen.errors:near_miss").load() is near_miss


@pytest.mark.parametrize(
    ("name", "known", "says"),
    [
        ("lamda_k", ["lambda_k", "gamma"], "; did you mean 'lambda_k'?"),
        ("LAMBDA-K", ["lambda_k", "gamma"], "; did you mean 'lambda_k'?"),
        ("x", ["only"], "; there is only"),
        ("x", [], "; there are none"),
        ("zzz", [f"n{i:02d}" for i in range(20)], "; there are " + ", ".join(f"n{i:02d}" for i in range(12)) + ", ..."),
    ],
)
def test_near_misses(name, known, says):
    assert near_miss(name, known) == says
