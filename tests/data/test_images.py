"""Every kind of picture, by the values of its pixels."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from imgen.errors import DataError
from imgen.images import (
    _scaled,
    check_crop,
    crop_box,
    decode,
    fit,
    from_float,
    header,
    load,
    save_gif,
    save_png,
    sheet,
    to_array,
    to_float,
    to_tensor,
)


def pixel(data: bytes, at=(0, 0), **options):
    return decode(data, **options).getpixel(at)


def test_the_import_needs_no_torch():
    code = "import sys, imgen.images, imgen.data.inspect; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_grey_palette_one_bit_and_cmyk(encoded):
    assert pixel(encoded(Image.new("L", (4, 4), 77))) == (77, 77, 77)
    assert pixel(encoded(Image.new("L", (4, 4), 77)), channels=1) == 77
    assert pixel(encoded(Image.new("1", (4, 4), 1))) == (255, 255, 255)
    palette = Image.new("P", (4, 4), 3)
    palette.putpalette([0, 0, 0] * 3 + [10, 200, 30])
    assert pixel(encoded(palette)) == (10, 200, 30)
    # Cyan alone takes all the red away.
    assert pixel(encoded(Image.new("CMYK", (4, 4), (255, 0, 0, 0)), "TIFF")) == (0, 255, 255)
    assert pixel(encoded(Image.new("CMYK", (4, 4), (0, 0, 0, 255)), "TIFF"), channels=1) == 0
    red, green, blue = pixel(encoded(Image.new("CMYK", (16, 16), (255, 0, 0, 0)), "JPEG", quality=95))
    assert red < 5 and green > 250 and blue > 250


@pytest.mark.parametrize("format", ["PNG", "TIFF", "PPM"])
def test_sixteen_bits_are_scaled_not_clipped(encoded, format):
    values = np.array([[0, 128, 257, 32768, 65279, 65535]], np.uint16)
    image = decode(encoded(Image.fromarray(values), format))
    assert [image.getpixel((x, 0))[0] for x in range(6)] == [0, 0, 1, 128, 254, 255]


def test_floats_and_wide_integers_are_refused(encoded):
    with pytest.raises(DataError, match="floating-point"):
        decode(encoded(Image.new("F", (2, 2), 0.5), "TIFF"))
    with pytest.raises(DataError, match="32-bit"):
        decode(encoded(Image.new("I", (2, 2), 70_000), "TIFF"))


def test_transparency_lies_on_white(encoded):
    half = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    half.putpixel((1, 0), (200, 0, 0, 128))
    assert pixel(encoded(half)) == (255, 255, 255)
    # 200 * 128/255 + 255 * 127/255, and 255 * 127/255
    assert pixel(encoded(half), (1, 0)) == (227, 127, 127)
    assert pixel(encoded(Image.new("LA", (2, 2), (0, 0)))) == (255, 255, 255)
    palette = Image.new("P", (2, 2), 1)
    palette.putpalette([9, 9, 9, 50, 60, 70])
    assert pixel(encoded(palette, transparency=1)) == (255, 255, 255)
    assert pixel(encoded(palette, transparency=bytes([0, 255]))) == (50, 60, 70)
    assert pixel(encoded(Image.new("RGB", (2, 2), (1, 2, 3)), transparency=(1, 2, 3))) == (255, 255, 255)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "TIFF", "WEBP"])
def test_exif_turns_the_picture(encoded, orientation, format):
    # Seen upright: red and green above, blue and white below.
    colours = {(0, 0): (255, 0, 0), (2, 0): (0, 255, 0), (0, 1): (0, 0, 255), (2, 1): (255, 255, 255)}
    upright = Image.new("RGB", (3, 2))
    for place, colour in colours.items():
        upright.putpixel(place, colour)
    undo = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = upright if orientation == 1 else upright.transpose(undo[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"lossless": True} if format == "WEBP" else {}
    image = decode(encoded(stored, format, exif=exif, **options))
    assert image.size == (3, 2)
    assert {place: image.getpixel(place) for place in colours} == colours


def test_damaged_exif_does_not_cost_the_picture(encoded):
    data = encoded(Image.new("RGB", (8, 8), "red"), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01\x12\0\x09\xff")
    assert decode(data).size == (8, 8)


def test_an_absurd_header_costs_nothing(bomb):
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match="64 million pixels"):
            decode(bomb)
        assert tracemalloc.get_traced_memory()[1] < 2**20
    finally:
        tracemalloc.stop()


def test_between_our_limit_and_that_of_pil_no_warning_escapes():
    # 9,500 x 9,500 makes PIL warn, and is above our limit: a PPM header is enough.
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        with pytest.raises(DataError, match="9500x9500 is more than the 64 million pixels"):
            header(b"P6 9500 9500 255\n" + b"\0" * 64)
    assert not told


@pytest.mark.parametrize("format", ["JPEG", "PNG", "BMP", "TIFF", "WEBP", "PPM", "GIF"])
def test_a_truncated_file_is_one_line(noisy, format):
    data = noisy(3, 64, 64, format)
    decode(data)
    with pytest.raises(DataError) as caught:
        decode(data[: len(data) // 2])
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 150


def test_what_is_no_picture_is_refused(encoded):
    with pytest.raises(DataError, match="empty"):
        decode(b"")
    with pytest.raises(DataError, match="not a picture"):
        decode(b"hello" * 100)
    with pytest.raises(DataError, match="not a picture"):
        decode(encoded(Image.new("RGB", (16, 16)), "ICO"))


def test_header_reads_kind_and_size(encoded):
    assert header(encoded(Image.new("L", (30, 20)), "JPEG")) == ("JPEG", "L", 30, 20)


def test_boxes():
    assert crop_box((178, 218), (64, 64), "center") == (0, 20, 178, 198)
    assert crop_box((100, 50), (32, 64), "center") == (0, 0, 100, 50)
    assert crop_box((100, 50), (64, 32), "center") == (37, 0, 62, 50)
    assert crop_box((178, 218), (64, 64), "none") == (0, 0, 178, 218)
    assert crop_box((178, 218), (64, 64), 108) == crop_box((178, 218), (64, 64), "108") == (35, 55, 143, 163)
    assert crop_box((178, 218), (64, 64), "celeba") == (25, 57, 153, 185)
    assert crop_box((356, 436), (64, 64), "celeba") == (50, 114, 306, 370)
    assert crop_box((178, 218), (64, 64), "100x90+3+4") == (3, 4, 103, 94)


@pytest.mark.parametrize("crop", ["centre", "0", -3, "10x10", "0x4+1+1", "10x10+1-1"])
def test_an_unknown_crop_says_which_there_are(crop):
    with pytest.raises(DataError, match=r"'center', 'none', 'celeba'"):
        check_crop(crop)


@pytest.mark.parametrize("crop", ["300", "100x100+100+0", "celeba"])
def test_a_crop_that_does_not_fit(crop):
    with pytest.raises(DataError, match="150x150"):
        crop_box((150, 150), (64, 64), crop)


def test_fit_takes_the_middle_and_averages():
    image = Image.new("RGB", (300, 100), "red")
    image.paste("blue", (100, 0, 200, 100))
    assert set(fit(image, (10, 10)).get_flattened_data()) == {(0, 0, 255)}
    squeezed = fit(image, (10, 30), crop="none")
    assert squeezed.size == (30, 10) and squeezed.getpixel((2, 5)) == (255, 0, 0)
    # Stripes of one pixel become even grey: without antialiasing they would be black or white.
    stripes = Image.fromarray(np.tile(np.array([0, 255], np.uint8), (64, 32)))
    small = to_array(fit(stripes, (8, 8), channels=1))
    assert small.shape == (1, 8, 8) and abs(small.astype(int) - 127).max() <= 4
    assert fit(Image.new("RGB", (9, 9), (255, 0, 0)), (3, 3), channels=1).getpixel((0, 0)) == 76


def test_a_picture_of_the_right_size_stays_as_it_is(noisy):
    data = noisy(7, 16, 16)
    assert np.array_equal(load(data, (16, 16)), np.asarray(decode(data)).transpose(2, 0, 1))


def test_a_big_jpeg_is_decoded_smaller_and_looks_the_same(encoded):
    ramp = np.add.outer(np.arange(1200), np.arange(1600)) * 255 // 2800
    data = encoded(Image.fromarray(ramp.astype(np.uint8)).convert("RGB"), "JPEG", quality=95)
    assert decode(data, at_least=128).size == (200, 150)
    whole = to_array(fit(decode(data), (64, 64))).astype(int)
    assert abs(load(data, (64, 64)).astype(int) - whole).max() <= 3


@pytest.mark.parametrize("shape", [(256, 1, 1, 1), (4, 2, 2, 4, 4), (2, 128), (1, 4, 8, 8)])
def test_floats_in_one_pass_are_the_same(shape):
    """As a GPU gets them."""
    pixels = torch.arange(256, dtype=torch.uint8).view(shape)
    for channels_last in (False, True):
        floats = _scaled(pixels, channels_last)
        assert torch.equal(floats, to_float(pixels)) and floats.dtype == torch.float32
    order = {"memory_format": torch.channels_last}
    assert len(shape) < 4 or floats.flatten(0, -4).is_contiguous(**order)
    assert to_float(pixels, channels_last=True).is_contiguous(), "a CPU reorders faster than that"


@pytest.mark.gpu
def test_floats_on_a_gpu_are_those_of_the_cpu():
    pixels = torch.arange(256, dtype=torch.uint8).view(1, 4, 8, 8)
    for channels_last in (False, True):
        floats = to_float(pixels.cuda(), channels_last=channels_last)
        assert torch.allclose(floats.cpu(), to_float(pixels), rtol=0, atol=1e-6)
        assert floats.is_contiguous(memory_format=torch.channels_last) == channels_last


def test_floats_and_back():
    every = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    floats = to_float(every)
    assert floats.dtype == torch.float32 and floats.min() == -1 and floats.max() == 1
    assert torch.equal(from_float(floats), every)
    assert from_float(torch.tensor([-3.0, -1.0, 0.0, 0.5, 9.0])).tolist() == [0, 0, 128, 191, 255]
    image = Image.new("RGB", (3, 2), (1, 2, 3))
    assert to_tensor(image).shape == (3, 2, 3) and to_tensor(image)[:, 0, 0].tolist() == [1, 2, 3]


def test_a_sheet_has_rows_and_columns():
    images = torch.zeros(2, 3, 3, 4, 5, dtype=torch.uint8)
    images[1, 2, 0] = 200
    drawn = sheet(images, gap=2)
    assert drawn.size == (3 * 5 + 2 * 2, 2 * 4 + 2)
    assert drawn.getpixel((0, 0)) == (0, 0, 0) and drawn.getpixel((5, 0)) == (255, 255, 255)
    assert drawn.getpixel((14, 6)) == (200, 0, 0)
    floats = sheet(to_float(images).bfloat16(), gap=0)
    assert floats.size == (15, 8) and abs(floats.getpixel((14, 7))[0] - 200) <= 1
    assert sheet(np.full((1, 1, 1, 2, 2), 1.0)).getpixel((0, 0)) == 255
    with pytest.raises(ValueError, match="rows, columns"):
        sheet(images[0])


def test_files_are_written_whole_or_not_at_all(tmp_path):
    save_png(Image.new("RGB", (4, 4), "red"), tmp_path / "a.png")
    assert pixel((tmp_path / "a.png").read_bytes()) == (255, 0, 0)
    frames = [Image.new("RGB", (4, 4), colour) for colour in ("red", "blue", "lime")]
    save_gif(frames, tmp_path / "a.gif", ms=120)
    with Image.open(tmp_path / "a.gif") as gif:
        assert gif.n_frames == 3 and gif.info["duration"] == 120 and gif.info["loop"] == 0
    before = (tmp_path / "a.gif").read_bytes()
    with pytest.raises(AttributeError):
        save_gif([frames[0], "no picture"], tmp_path / "a.gif")
    assert (tmp_path / "a.gif").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.gif", "a.png"]


def test_nothing_is_printed_of_damaged_files(encoded):
    data = encoded(Image.new("RGB", (4, 4)), "TIFF")
    # 200 samples a pixel, which PIL's TIFF plugin logs as an error.
    samples = data.index(b"\x15\x01\x03\x00\x01\x00\x00\x00")
    damaged = data[: samples + 8] + b"\xc8\0" + data[samples + 10 :]
    code = "import sys; from imgen.images import decode; decode(sys.stdin.buffer.read())"
    run = subprocess.run([sys.executable, "-c", code], input=damaged, capture_output=True, check=False)
    assert b"DataError: " in run.stderr and b"More samples" not in run.stderr.split(b"Traceback")[0]
