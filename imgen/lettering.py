"""Letters in drawn pictures."""

from __future__ import annotations

from PIL import Image, ImageDraw, ImageFont


def font_of(size: float) -> ImageFont.FreeTypeFont:
    """The font that comes with PIL, at a size [pixels]."""
    font = ImageFont.load_default(size)
    assert isinstance(font, ImageFont.FreeTypeFont), "PIL was built without FreeType"
    return font


def upright(image: Image.Image, text: str, middle: tuple[float, float], font: ImageFont.FreeTypeFont, ink: str) -> None:
    """Write a text that reads from below about a point, in place."""
    left, top, right, bottom = font.getbbox(text)
    strip = Image.new("L", (round(right - left) + 2, round(bottom - top) + 2), 0)
    ImageDraw.Draw(strip).text((1 - left, 1 - top), text, 255, font)
    strip = strip.transpose(Image.Transpose.ROTATE_90)
    at = round(middle[0] - strip.width / 2), round(middle[1] - strip.height / 2)
    image.paste(Image.new("RGB", strip.size, ink), at, strip)
