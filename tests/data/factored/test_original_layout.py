"""dSprites and CdSprites: what is drawn, what is written and read, and files that are not what they say."""

from __future__ import annotations

import hashlib
import json
import signal
import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from imgen.data.arrays import contents
from imgen.data.factored import cdsprites as cdsprites_module
from imgen.data.factored import dsprites as dsprites_module
from imgen.data.factored.cdsprites import cdsprites
from imgen.data.factored.dsprites import dsprites
from imgen.data.factored.grid import Axis, Grid
from imgen.data.spec import Factor
from imgen.errors import DataError
from imgen.testing import check_dataset, check_settings


@pytest.fixture
def few(monkeypatch):
    """dSprites of few values: all 737,280 take a while."""
    shape, scale, orientation, x, y = dsprites_module.GRID.axes
    some = (
        shape,
        scale,
        replace(orientation, values=orientation.values[::13]),
        *(Axis(a.name, (0.0, 1.0)) for a in (x, y)),
    )
    latents = Grid((*dsprites_module.LAYOUT.latents.axes[:2], *some[1:]))
    layout = dsprites_module.LAYOUT
    monkeypatch.setattr(dsprites_module, "GRID", Grid(some))
    monkeypatch.setattr(dsprites_module, "LAYOUT", replace(layout, latents=latents))


@pytest.fixture
def made(few, here):
    """Such a file, and its members."""
    assert dsprites_module.write(here / "d.npz") == 3 * 6 * 4 * 4
    with np.load(here / "d.npz", allow_pickle=True) as members:
        return dict(members)


def test_dsprites_is_there_at_once():
    began = time.process_time()
    data = dsprites()
    assert time.process_time() - began < 1
    assert data.spec.factors == (
        Factor("shape", 3, ordered=False),
        Factor("scale", 6),
        Factor("orientation", 40),
        Factor("position x", 32),
        Factor("position y", 32),
    )
    assert data.columns["images"].shape == (737_280, 1, 64, 64)
    assert "Apache" in data.spec.about
    rows = np.array([0, 1, 32, 1024, 40_960, 245_760, 737_279])
    values = data.factors_of(rows)
    step = pytest.approx(1 / 31), pytest.approx(2 * np.pi / 39)
    assert values.tolist() == [
        [0, 0.5, 0, 0, 0],
        [0, 0.5, 0, 0, step[0]],
        [0, 0.5, 0, step[0], 0],
        [0, 0.5, step[1], 0, 0],
        [0, pytest.approx(0.6), 0, 0, 0],
        [1, 0.5, 0, 0, 0],
        [2, 1, pytest.approx(2 * np.pi), 1, 1],
    ]
    assert torch.equal(data.show(values), data.columns["images"].fetch(rows))
    check_dataset(data)


def test_factors_are_drawn_evenly():
    data = dsprites()
    places = data.places(data.draw_factors(40_000, np.random.default_rng(0)))
    for column, factor in enumerate(data.spec.factors):
        counts = np.bincount(places[:, column], minlength=factor.size)
        assert len(counts) == factor.size and abs(counts * factor.size / 40_000 - 1).max() < 0.15


def test_real_pictures_of_dsprites(shared_data):
    with np.load(shared_data("dsprites/real_12_images.npz")) as real:
        values = real["latents_values"][:, 1:] - [1, 0, 0, 0, 0]
        got = dsprites().show(values)[:, 0].numpy() == 255
        assert (got != (real["imgs"] > 0)).sum(axis=(1, 2)).max() <= 5


def test_cdsprites_is_that_of_its_authors():
    data = cdsprites()
    assert data.spec.factors == (Factor("angle", 40), Factor("radius", 27))
    every = data.columns["images"].decode_all(2)
    assert every.unique().tolist() == [0, 255] and every.shape == (1080, 1, 64, 64)
    digest = hashlib.sha256((every[:, 0] // 255).numpy().tobytes()).hexdigest()
    assert digest == "476fea163e38b0f8d33eae4c86c293e7681c858103c2ebb8a45e7a7c2e4551c6"
    assert data.factors_of(np.array([28])).tolist() == [[pytest.approx(2 * np.pi / 40), 1]]
    check_dataset(data)


@pytest.mark.parametrize("factory", [dsprites, cdsprites])
def test_settings_say_what_they_are(factory):
    check_settings(factory)


def test_a_file_of_cdsprites(here):
    assert cdsprites_module.write(here / "c.npz") == 1080
    found = contents(here / "c.npz")
    assert list(found) == ["metadata", "imgs", "latents_values"]
    assert (here / "c.npz").stat().st_size > 1080 * 64 * 64  # as that of the authors, it is not compressed
    data = cdsprites(root=str(here / "c.npz"))
    assert torch.equal(data.columns["images"].decode_all(2), cdsprites().columns["images"].decode_all(2))
    check_dataset(data)


def test_what_others_read_of_a_file_of_dsprites(made):
    assert list(made) == ["metadata", "imgs", "latents_classes", "latents_values"]
    assert made["imgs"].dtype == np.uint8 and np.unique(made["imgs"]).tolist() == [0, 1]
    assert made["latents_values"].dtype == np.float64 and made["latents_classes"].dtype == np.int64
    assert made["latents_values"][-1].tolist() == [1, 3, 1, pytest.approx(2 * np.pi), 1, 1]
    assert made["latents_classes"][-1].tolist() == [0, 2, 5, 3, 1, 1]
    told = made["metadata"][()]
    sizes = told["latents_sizes"]
    # As the published notebook counts.
    assert np.concatenate((sizes[::-1].cumprod()[::-1][1:], [1])).tolist() == [737280, 245760, 40960, 1024, 32, 1]
    assert told["latents_names"] == ("color", "shape", "scale", "orientation", "posX", "posY")
    assert told["latents_possible_values"]["scale"].tolist() == pytest.approx([0.5, 0.6, 0.7, 0.8, 0.9, 1])
    assert isinstance(told["title"], str) and told["version"] == 1


def test_a_file_of_dsprites_is_the_data_set(made, here):
    drawn, read = dsprites(), dsprites(root="d.npz")
    assert read.spec.factors == drawn.spec.factors and read.spec.image == drawn.spec.image
    rows = np.random.default_rng(0).permutation(drawn.grid.rows)
    assert torch.equal(read.columns["images"].fetch(rows), drawn.columns["images"].fetch(rows))
    assert torch.equal(read.columns["images"].decode_all(2), drawn.columns["images"].decode_all(2))
    check_dataset(read)


def changed(name, change):
    def do(members):
        members[name] = change(members[name])

    return do


def dot(imgs):
    imgs[200, 0, 0] = 2
    return imgs


def swapped(rows):
    rows[[4, 5]] = rows[[5, 4]]
    return rows


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda members: members.pop("imgs"), "has no array 'imgs', but latents_classes, latents_values, metadata"),
        (lambda members: members.pop("latents_classes"), "has no array 'latents_classes'"),
        (changed("imgs", lambda a: a[:-1]), r"'imgs' is \(287, 64, 64\) of uint8; that of dSprites is \(288, 64, 64\)"),
        (changed("imgs", lambda a: a.astype("f4")), "of float32"),
        (changed("imgs", lambda a: a[:, :32, :32]), r"\(288, 32, 32\)"),
        (changed("imgs", lambda a: a * np.uint8(255)), "has the value 255; all must be 0 or 1"),
        (changed("imgs", dot), "has the value 2"),
        (changed("imgs", lambda a: a.astype(object)), "of object"),
        (changed("latents_classes", swapped), r"row 4 of 'latents_classes' is \(0, 0, 0, 1, 0, 1\), not"),
        (changed("latents_values", swapped), "row 4 of 'latents_values'"),
        (changed("latents_values", lambda a: a * np.nan), "row 0 of 'latents_values'"),
        (changed("latents_values", lambda a: a[:, 1:]), r"\(288, 5\)"),
    ],
)
def test_a_file_that_is_not_dsprites(made, here, change, told):
    change(made)
    np.savez_compressed("x.npz", **made)
    with pytest.raises(DataError, match=told) as caught:
        dsprites(root="x.npz")
    assert str(caught.value).startswith("x.npz: ") and "\n" not in str(caught.value)


def test_a_file_that_is_cut_or_not_there(made, here):
    whole = (here / "d.npz").read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        (here / "cut.npz").write_bytes(whole[:size])
        with pytest.raises(DataError, match=r"cut\.npz: "):
            dsprites(root="cut.npz")
    for root, told in (("nowhere.npz", "no such file"), (str(here), "a folder")):
        with pytest.raises(DataError, match=told):
            cdsprites(root=root)


def test_metadata_of_strangers_is_not_unpickled(made, here):
    class Trap:
        def __reduce__(self):
            return type(here).write_text, (here / "sprung", "run")

    made["metadata"] = np.array(Trap(), dtype=object)
    np.savez_compressed("x.npz", **made)
    assert dsprites(root="x.npz").spec.factors[0].name == "shape"
    assert not (here / "sprung").exists()
    np.load("x.npz", allow_pickle=True)["metadata"]
    assert (here / "sprung").exists()


def test_the_commands(cli, few, here):
    said = cli("data", "make", "dsprites")
    assert said.status == 0 and said.out == f"{dsprites_module.NAME}\n"
    assert said.lines[-1].startswith("288 images in ")
    check_dataset(dsprites(root=dsprites_module.NAME))
    assert cli("data", "make", "cdsprites", "c.npz").out == "c.npz\n"
    before = (here / "c.npz").read_bytes()
    said = cli("data", "make", "cdsprites", "c.npz")
    assert said.status == 2 and said.lines == [
        "imgen: c.npz: exists already; name another file, or replace it with --overwrite"
    ]
    told = json.loads(cli("data", "make", "cdsprites", "c.npz", "--overwrite", "--json").out)
    assert told["path"] == "c.npz" and told["images"] == 1080 and told["bytes"] == len(before)
    assert (here / "c.npz").read_bytes() == before


@pytest.mark.parametrize(
    ("out", "told"), [("x.csv", "an .npz"), (".", "a folder"), ("none/x.npz", "there is no folder none")]
)
def test_a_file_that_cannot_be(cli, here, out, told):
    said = cli("data", "make", "cdsprites", out)
    assert said.status == 2 and told in said.err and len(said.lines) == 1
    assert not list(here.iterdir())


def test_a_full_disk_leaves_nothing(process, here):
    code = (
        "import resource, sys\n"
        "from imgen.cli import main\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))\n"
        "sys.exit(main(['data', 'make', 'cdsprites']))\n"
    )
    running = process("-c", code)
    out, err = running.communicate(timeout=60)
    assert running.returncode == 1 and not out and len(err.splitlines()) == 1 and "too large" in err
    assert not list(here.iterdir())


def test_an_interrupt_leaves_nothing(process, here):
    running = process("-m", "imgen", "data", "make", "dsprites")
    deadline = time.monotonic() + 60
    while not any(each.stat().st_size for each in here.iterdir()):
        assert running.poll() is None and time.monotonic() < deadline
        time.sleep(0.02)
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    assert running.returncode == 130 and "interrupted" in err
    assert not list(here.iterdir())
