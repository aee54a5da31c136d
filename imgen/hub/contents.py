"""What a repository of imgen holds: the files that are pushed and read, and no others."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

Part = Literal["model", "card", "training"]
WEIGHTS = "model.safetensors"
RECIPE = "recipe.yaml"
CONFIG = "config.json"
CARD = "README.md"
METRICS = "metrics.jsonl"
EVENTS = "events.jsonl"
SHEETS = "sheets"


@dataclass(frozen=True)
class Kind:
    """A kind of file. pattern: of its path in the repository; most: bytes that it may have.

    part: `model` is needed to use it, `card` to read about it, `training` to go on with it.
    """

    pattern: re.Pattern[str]
    most: int
    part: Part


_MB, _GB = 2**20, 2**30
_STEP = r"checkpoints/step-[0-9]{8}"
_TOLD: tuple[tuple[str, int, Part], ...] = (
    (r"model\.safetensors", 64 * _GB, "model"),
    (r"config\.json", _MB, "model"),
    # Reading YAML takes its time, and the longest recipe that ships has some 3,000 bytes.
    (r"recipe\.yaml", 2**16, "model"),
    (r"README\.md", 4 * _MB, "card"),
    (r"metrics\.jsonl", 64 * _MB, "card"),
    (r"sheets/[a-z0-9-]{1,40}\.(png|gif)", 32 * _MB, "card"),
    (rf"{_STEP}/(algorithm|optim|ema)\.safetensors", 64 * _GB, "training"),
    (rf"{_STEP}/state\.json", _MB, "training"),
    (r"events\.jsonl", 64 * _MB, "training"),
)
KINDS = tuple(Kind(re.compile(pattern), most, part) for pattern, most, part in _TOLD)


def kind_of(path: str) -> Kind | None:
    """What a path in a repository holds; None where it is nothing of ours, and is left alone."""
    return next((kind for kind in KINDS if kind.pattern.fullmatch(path)), None)
