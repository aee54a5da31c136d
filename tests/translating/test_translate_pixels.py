"""What becomes of sizes, transparency, orientation and modes, and that batches do not show."""

from __future__ import annotations

from pathlib import PurePosixPath

import numpy as np
import pytest
import torch
from PIL import Image

from imgen.translating.tiles import cut, reflected, tiled


@pytest.fixture
def translate(cli, here, opened):
    """Translates one picture: gives the result's pixels."""

    def run(model, name, *argv, wanted=""):
        said = cli("translate", model, name, "--no-sheet", "--out", "out", "--overwrite", *argv)
        assert (said.status, said.err) == (0, ""), said
        assert said.out == f"out/{wanted or name}\n"
        return opened(f"out/{wanted or name}")

    return run


def smooth(height: int, width: int) -> np.ndarray:
    """Colours that change slowly, so that resizing changes little."""
    y, x = np.mgrid[:height, :width]
    return np.stack([255 * y / height, 255 * x / width, 128 + 0 * y], axis=2).astype(np.uint8)


def save(path, array: np.ndarray, **settings) -> None:
    Image.fromarray(array).save(path, **settings)


@pytest.fixture
def seen(monkeypatch, orchard):
    """The sizes, (width, height), of what the model is given."""
    import stranger_orchard

    sizes = []
    plain = stranger_orchard.Tint.translate

    def look(self, images, way):
        sizes.append(tuple(images.shape[:1]) + tuple(images.shape[:1:-1]))
        return plain(self, images, way)

    monkeypatch.setattr(stranger_orchard.Tint, "translate", look)
    return sizes


@pytest.mark.parametrize(
    ("fit", "passed", "size"),
    [
        ("resize", (16, 16), (50, 30)),
        ("crop", (16, 16), (16, 16)),
        ("native", (52, 32), (50, 30)),
        ("tile", (16, 16), (50, 30)),
    ],
)
def test_sizes(fit, passed, size, run, translate, seen, here):
    save(here / "a.png", smooth(30, 50))
    made = translate(run, "a.png", "--fit", fit)
    assert made.shape[1::-1] == size
    assert {each[1:] for each in seen} == {passed}
    wanted = 255 - smooth(30, 50)
    if fit == "crop":
        wanted = np.asarray(Image.fromarray(wanted[:, 10:40]).resize((16, 16), Image.Resampling.LANCZOS))
    # Near the borders a picture that was made smaller and larger again cannot be the same.
    tolerance = {"resize": 6, "crop": 2}.get(fit, 0)
    assert np.abs(made.astype(int) - wanted)[3:-3, 3:-3].max() <= tolerance


@pytest.mark.parametrize("fit", ["resize", "crop", "native", "tile"])
@pytest.mark.parametrize("size", [(1, 1), (3, 40), (16, 17), (33, 16)])
def test_every_size_works(fit, size, run, translate, here):
    save(here / "a.png", np.full((*size, 3), 200, np.uint8))
    made = translate(run, "a.png", "--fit", fit)
    assert made.shape == ((16, 16, 3) if fit == "crop" else (*size, 3))
    assert (made == 55).all()


def test_a_large_jpeg_is_decoded_no_larger_than_needed(run, translate, here, monkeypatch):
    save(here / "a.jpg", smooth(300, 500), quality=95)
    made = translate(run, "a.jpg", "--format", "png", wanted="a.png")
    assert made.shape == (300, 500, 3)
    assert np.abs(made.astype(int) - (255 - smooth(300, 500)))[40:-40, 40:-40].max() < 12


def test_tiles_of_a_model_that_sees_single_pixels_are_the_whole(run, draw, translate):
    draw("a.png", size=(45, 71))
    native, tile = (translate(run, "a.png", "--fit", fit) for fit in ("native", "tile"))
    assert (native == tile).all()


def test_tiles_of_a_model_that_sees_its_surroundings_agree_away_from_borders(make_run, draw, translate):
    draw("a.png", size=(48, 64))
    model = make_run(blur=True)
    native, tile = (translate(model, "a.png", "--fit", fit).astype(int) for fit in ("native", "tile"))
    assert np.abs(native - tile)[1:-1, 1:-1].max() <= 2
    assert np.abs(native - tile)[1:-1, 1:-1].any(), "a tile's border has to show a little, or this tests nothing"


@pytest.mark.parametrize("size", [(16, 16), (20, 90), (41, 67), (5, 33)])
def test_no_seam(size):
    """Tiles whose brightness differs at random: without blending, neighbours would jump by as much."""
    draw = np.random.default_rng(0)

    def run(pieces):
        assert pieces.shape[0] <= 3 and pieces.shape[1:] == (1, 16, 16)
        return np.broadcast_to(draw.integers(100, 180, (len(pieces), 1, 1, 1), np.uint8), pieces.shape)

    made = tiled(np.zeros((1, *size), np.uint8), (16, 16), 3, run).astype(int)
    assert made.shape == (1, *size) and made.min() >= 100
    for axis in (1, 2):
        assert np.abs(np.diff(made, axis=axis)).max(initial=0) <= 80 / 4


def test_tiles_cover_everything_once_in_the_mean():
    shown = np.random.default_rng(0).integers(0, 256, (3, 37, 58), np.uint8)
    for batch in (1, 4, 100):
        assert (tiled(shown, (16, 24), batch, lambda pieces: pieces) == shown).all()


def test_memory_of_tiles_does_not_grow_with_the_height():
    import tracemalloc

    def most(height):
        shown = np.zeros((1, height, 64), np.uint8)
        tracemalloc.start()
        tiled(shown, (16, 16), 4, lambda pieces: pieces)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return peak - shown.nbytes

    assert most(1600) < most(160) + 64 * 1500


@pytest.mark.parametrize(("size", "larger"), [((5, 7), (8, 8)), ((1, 1), (4, 4)), ((3, 3), (16, 16)), ((4, 4), (4, 4))])
def test_reflection_is_cut_back(size, larger):
    shown = np.random.default_rng(0).integers(0, 256, (3, *size), np.uint8)
    padded = reflected(shown, *larger)
    assert padded.shape == (3, *larger) and set(padded.flat) <= set(shown.flat)
    assert (cut(padded, *size) == shown).all()


@pytest.mark.parametrize("fit", ["resize", "crop", "native", "tile"])
def test_transparency_is_kept(fit, run, translate, here):
    shown = np.dstack([smooth(24, 32), (255 * np.eye(24, 32)).astype(np.uint8)])
    save(here / "a.png", shown)
    made = translate(run, "a.png", "--fit", fit)
    if fit == "crop":
        assert made.shape == (16, 16, 4) and 0 < made[..., 3].mean() < 255
        return
    assert (made[..., 3] == shown[..., 3]).all()
    if fit == "native":
        # The model sees white where nothing is seen.
        assert (made[..., :3][shown[..., 3] == 0] == 0).all()
        assert (made[..., :3] == 255 - shown[..., :3])[shown[..., 3] == 255].all()


def test_transparency_of_palettes_and_greys_is_kept(run, translate, here):
    clear = Image.fromarray(np.dstack([smooth(16, 16), (255 * np.eye(16)).astype(np.uint8)]))
    palette = clear.convert("RGB").quantize(8)
    palette.info["transparency"] = 3
    palette.save(here / "p.png", transparency=3)
    wanted = np.asarray(palette.convert("RGBA"))[..., 3]
    assert wanted.min() == 0 and (translate(run, "p.png")[..., 3] == wanted).all()
    clear.convert("LA").save(here / "la.png")
    made = translate(run, "la.png")
    assert made.shape == (16, 16, 4) and (made[..., 3] == np.asarray(clear)[..., 3]).all()


@pytest.mark.parametrize(("format", "wanted"), [("jpg", "a.png"), ("webp", "a.webp"), ("png", "a.png")])
def test_transparency_goes_before_the_format(format, wanted, run, translate, here):
    save(here / "a.webp", np.dstack([smooth(16, 16), np.full((16, 16), 7, np.uint8)]), lossless=True)
    made = translate(run, "a.webp", "--format", format, wanted=wanted)
    assert (made[..., 3] == 7).all()


def test_a_wrong_ending_does_not_lose_transparency(run, translate, here):
    save(here / "a.jpg", np.dstack([smooth(16, 16), np.full((16, 16), 7, np.uint8)]), format="PNG")
    assert (translate(run, "a.jpg", wanted="a.png")[..., 3] == 7).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_and_not_written_again(orientation, run, translate, here):
    image = Image.fromarray(smooth(24, 40))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image.save(here / "a.jpg", exif=exif, quality=95)
    made = translate(run, "a.jpg", "--fit", "native")
    from PIL import ImageOps

    wanted = 255 - np.asarray(ImageOps.exif_transpose(Image.open(here / "a.jpg"))).astype(int)
    assert made.shape == wanted.shape and np.abs(made - wanted).mean() < 3
    assert 0x0112 not in Image.open(here / "out/a.jpg").getexif()
    assert translate(run, "a.jpg").shape == wanted.shape


def test_grey_becomes_colour(run, draw, translate):
    shown = draw("a.png", channels=1)
    made = translate(run, "a.png")
    assert (made == 255 - shown[..., None]).all() and made.shape == (16, 16, 3)


def test_a_model_of_one_channel_gives_grey(make_run, translate, here):
    model = make_run(image=(1, 16, 16))
    save(here / "a.png", smooth(16, 16))
    made = translate(model, "a.png")
    assert (made == 255 - np.asarray(Image.fromarray(smooth(16, 16)).convert("L"))).all()
    Image.fromarray(np.dstack([smooth(16, 16), np.full((16, 16), 9, np.uint8)])).save(here / "b.png")
    assert translate(model, "b.png").shape == (16, 16, 2)


def test_other_modes(run, translate, here):
    save(here / "deep.png", np.full((16, 16), 257 * 100, np.uint16))
    assert (translate(run, "deep.png") == 155).all()
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(here / "print.jpg", quality=95)
    made = translate(run, "print.jpg").astype(int)
    assert np.abs(made - [0, 255, 255]).max() < 8
    Image.fromarray(smooth(16, 16)).quantize(4).save(here / "few.gif")
    wanted = np.asarray(Image.open(here / "few.gif").convert("RGB"))
    assert (translate(run, "few.gif", wanted="few.png") == 255 - wanted).all()


def test_the_result_does_not_depend_on_the_batch(make_run, draw, cli, here, tree, seen):
    for n in range(7):
        draw(f"in/{n}.png", n, (16 + 4 * (n % 2), 16))
    model = make_run(blur=True)
    made = []
    for batch in (1, 2, 3, 64):
        assert cli("translate", model, "in", "--batch", batch, "--out", str(batch), "--fit", "native").status == 0
        assert {each[0] for each in seen} == {batch}, "a pass is always as large"
        seen.clear()
        made.append({name: content for name, content in tree(here / str(batch)).items() if name != "sheet.png"})
    assert len(made[0]) == 7 and all(each == made[0] for each in made)


def test_few_pictures_wait_at_once(run, draw, cli, monkeypatch, here):
    """However many there are, decoded ones are bounded by memory."""
    from imgen.translating import engine

    for n in range(40):
        draw(f"in/{n:02d}.png", n, (8, 8 + 4 * (n % 10)))
    monkeypatch.setattr(engine, "_HELD", 4000)
    held = []
    plain = engine.Engine._translated

    def look(self, batch, outcome):
        held.append(self._held)
        return plain(self, batch, outcome)

    monkeypatch.setattr(engine.Engine, "_translated", look)
    said = cli("translate", run, "in", "--fit", "native", "--out", "out", "--no-sheet")
    assert said.status == 0 and len(said.out.splitlines()) == 40
    assert max(held) < 8000, "all of them are 25,000 bytes"


def test_too_large_for_the_memory_goes_in_parts(run, draw, cli, monkeypatch, opened):
    import stranger_orchard

    shown = [draw(f"in/{n}.png", n) for n in range(3)]
    plain = stranger_orchard.Tint.translate

    def small(self, images, way):
        if len(images) > 2 or images.shape[2] > 16:
            raise torch.OutOfMemoryError("no memory")
        return plain(self, images, way)

    monkeypatch.setattr(stranger_orchard.Tint, "translate", small)
    assert cli("translate", run, "in", "--batch", "8", "--out", "out").status == 0
    assert all((opened(f"out/{n}.png") == 255 - shown[n]).all() for n in range(3))
    draw("b.png", size=(32, 32))
    said = cli("translate", run, "b.png", "--fit", "native", "--out", "o")
    assert said.status == 1 and said.lines == [
        "imgen: b.png: 32x32 is too large for the memory of cpu; take --fit tile"
    ]


def test_rows_that_are_fetched_are_translated_like_tensors():
    from imgen.translating.inputs import held_out

    class Column:
        shape, dtype = (3, 1, 4, 4), torch.uint8

        def fetch(self, rows):
            return torch.full((len(rows), 1, 4, 4), int(rows[0]), dtype=torch.uint8)

    class Held:
        test = {"a": Column()}  # noqa: RUF012
        test_names = {"a": ["../x.jpg", "y.jpg", "z.jpg"]}  # noqa: RUF012

    items = held_out(Held(), "a", PurePosixPath("runs/x"))
    assert [str(item.name) for item in items] == ["00000.png", "00001.png", "00002.png"]
    assert np.asarray(items[2].load(1, 0).image).tolist() == [[2] * 4] * 4
    assert held_out(Held(), "b", PurePosixPath("runs/x")) == []
