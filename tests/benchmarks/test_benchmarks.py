"""The benchmarks run, and print what they promise; their figures mean nothing at these sizes."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
import scripts

HERE = Path(__file__).parent
TINY = ["--batch", "2", "--dim", "4", "--size", "16", "--blocks", "2", "--steps", "1"]


def run(script: str, *options: str, cwd: Path, tiny: list[str] = TINY) -> str:
    return scripts.run(script, *tiny, *options, cwd=cwd)


def test_all_are_listed_with_what_make_bench_runs():
    lines = [line for line in (HERE / "README.md").read_text().splitlines() if line.startswith("| ")]
    listed = {found[1]: line.startswith("| *") for line in lines if (found := re.search(r"`(\w+\.py)", line))}
    assert listed.keys() == {path.name for path in HERE.glob("*.py") if "\nif __name__" in path.read_text()}
    made = re.findall(r"tests/benchmarks/(\w+\.py)", (HERE.parents[1] / "Makefile").read_text())
    assert set(made) == {name for name, starred in listed.items() if starred}


def test_trainer_overhead_runs(tmp_path):
    told = run("trainer_overhead.py", cwd=tmp_path)
    assert "bare loop" in told and "median of ratios" in told
    assert "threads" in told and "seed 0" in told
    assert not list(tmp_path.iterdir())


def test_streaming_runs(tmp_path):
    told = run("streaming.py", "--count", "16", "--batches", "2", cwd=tmp_path)
    assert "decoding alone" in told and "streaming reaches" in told
    assert "packed file" in told and "resident" in told
    assert not list(tmp_path.iterdir())


def test_translate_runs(tmp_path):
    tiny = ["--count", "6", "--batch", "2", "--dim", "4", "--size", "16", "--blocks", "2"]
    told = run("translate.py", "--json", "told.json", cwd=tmp_path, tiny=tiny)
    assert "bare loop" in told and "pictures/s" in told and "times as fast" in told
    assert "decode" in told and "encode" in told
    assert json.loads((tmp_path / "told.json").read_text())["translate"]["times_as_fast"] > 0
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]


def test_startup_runs(tmp_path):
    tiny = ["--rounds", "1", "--only", "an empty Python", "--only", "imgen --help", "--json", "told.json"]
    told = run("startup.py", cwd=tmp_path, tiny=tiny)
    assert "of all cores" in told and "medians of 1 rounds" in told
    found = json.loads((tmp_path / "told.json").read_text())["startup"]
    assert found.keys() == {"an empty Python", "imgen --help"}
    assert found["imgen --help"]["core_seconds"] > 0 and found["imgen --help"]["least"] > 0


def test_sampling_runs(tmp_path):
    tiny = ["--recipes", "infogan_cr", "--count", "4", "--dim", "4", "--blocks", "1", "--json", "told.json"]
    told = run("sampling.py", cwd=tmp_path, tiny=tiny)
    assert "times as fast" in told and "generator" in told and "PNG" in told
    found = json.loads((tmp_path / "told.json").read_text())["sampling"]
    assert [one["pictures"] for one in found.values()] == [4, 4, 60], "a sheet, files, and ten values of six codes"
    assert [path.name for path in tmp_path.iterdir()] == ["told.json"]


def test_editing_runs(tmp_path):
    tiny = ["--batch", "2", "--width", "4", "--size", "16", "--rounds", "1"]
    told = run("editing.py", cwd=tmp_path, tiny=tiny)
    assert all(preset in told for preset in ("sggan ", "sggan_new", "sggan_modern"))
    assert "times as fast" in told and "images/s" in told and "seed 0" in told
    assert not list(tmp_path.iterdir())


def test_contrast_runs(tmp_path):
    tiny = ["--batch", "4", "--size", "16", "--steps", "1", "--side", "64"]
    told = run("contrast.py", cwd=tmp_path, tiny=tiny)
    assert "without pairs" in told and "with pairs" in told and "of the machine" in told and "seed 0" in told
    assert not list(tmp_path.iterdir())


def test_contrast_counts_as_the_paper_does(tmp_path):
    """Known counts at the paper's size, in millions for each picture: 8.00, 8.01 and 8.52."""
    told = run("contrast.py", cwd=tmp_path, tiny=["--batch", "2", "--steps", "1", "--side", "64"])
    assert "G 8.00 million, D 8.01 million, H 8.52 million" in told


def test_teapots_runs(tmp_path):
    told = run("teapots.py", cwd=tmp_path, tiny=["--images", "6", "--processes", "2"])
    assert "6,320 triangles" in told and "files, 2 processes" in told and "seed 1" in told
    assert all(variant in told for variant in ("A (colours)", "B (turns)", "C (lights)"))
    assert not list(tmp_path.iterdir())


def test_contrast_gain_runs(tmp_path):
    told = run("contrast_gain.py", "--steps", "4", "--seeds", "1", "--out", "runs", cwd=tmp_path, tiny=[])
    assert all(f"{name} {state}" in told for name in ("best", "gap") for state in ("before", "after", "without"))
    assert (tmp_path / "runs/seed0/checkpoints/step-00000002").is_dir(), "the state before the phase is kept"


def test_selection_runs(tmp_path):
    tiny = ["--steps", "4", "--groups", "2", "--group-size", "4", "--free", "20", "--pictures", "40", "--out", "runs"]
    told = run("selection.py", *tiny, cwd=tmp_path, tiny=[])
    assert "model-centrality: a good model first in" in told and "udr-lasso: a good model first in" in told
    assert all(f"0 {name}" in told for name in ("good-1", "good-2", "brief", "unsettled", "blind", "aslant"))


def test_quality_runs(tmp_path):
    tiny = ["--count", "60", "--dimension", "8", "--subsets", "2", "--scores", "kid", "prdc"]
    told = run("quality.py", cwd=tmp_path, tiny=tiny)
    assert all(f"\n{name} " in told for name in ("kid", "prdc"))
    assert "60 features of 8 on either side" in told and "peak MiB" in told and "seed 0" in told
    assert not list(tmp_path.iterdir())
