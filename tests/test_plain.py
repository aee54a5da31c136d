"""Nothing that a file or a server says does anything to a terminal."""

from __future__ import annotations

import pytest

from imgen.plain import plain


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("blond hair", "blond hair"),
        ("a\nb\r\nc\td", "a b c d"),
        ("\x1b[2J\x1b]0;gone\x07red", "[2J ]0;gone red"),
        ("\x9b31mred", "31mred"),
        ("abc\u202edcba\u2066x", "abc dcba x"),
        ("zero\u200bwidth", "zero width"),
        ("half \ud800 done", "half done"),
        ("größe 大", "größe 大"),
    ],
)
def test_controls_are_left_out(text, shown):
    assert plain(text) == shown


def test_a_long_text_is_cut():
    assert plain("a" * 400) == "a" * 297 + "..."
    assert plain("a" * 10**7, most=10) == "aaaaaaa..."
