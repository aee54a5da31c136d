"""What lies where: versions, sums and files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from imgen.card.facts import Facts
from imgen.card.text import code, prose, section, table
from imgen.hub import contents
from imgen.hub.reference import Reference

_VERSION = re.compile(r"[\w.+!-]{1,60}")
_HOLDS = (
    (contents.WEIGHTS, "the weights that ship, with their configuration in the header"),
    (contents.RECIPE, "every setting of the training"),
    (contents.METRICS, "what was measured, and how: a line for each measurement"),
    ("events.jsonl", "what happened while training, a line for each event"),
    ("previews/", "the sheets that were drawn while training"),
    ("checkpoints/", "what a resumed run needs"),
    ("tensorboard/", "curves and sheets for TensorBoard"),
)


def versions(facts: Facts) -> str:
    """The section: what it was made and measured with, as far as that was written down."""
    found: dict[str, list[str]] = {}
    _, package, version = facts.plugin
    imgen = facts.config.origin.get("imgen")
    for name, told in (("imgen", imgen), (package, version)):
        if name and isinstance(told, str) and _VERSION.fullmatch(told):
            found.setdefault(name, []).append(told)
    for record in facts.records:
        for name, told in record.versions.items():
            if isinstance(told, str) and _VERSION.fullmatch(told):
                found.setdefault(str(name), []).append(told)
    rows = [[code(name, 60), ", ".join(dict.fromkeys(told))] for name, told in found.items()]
    lead = "As the weights and the measurements name them."
    return section("Versions", lead, table(["package", "version"], rows)) if rows else ""


def checksums(facts: Facts) -> str:
    """The section: sums that show a damaged or exchanged file."""
    with facts.weights.open("rb") as file:
        whole = hashlib.file_digest(file, "sha256").hexdigest()
    rows = [["the file `model.safetensors`", code(whole)]]
    if re.fullmatch(r"[0-9a-f]{64}", facts.digest):
        rows.append(["its configuration and tensors, as the header has it and imgen checks it", code(facts.digest)])
    return section("Checksums", table(["SHA-256 of", ""], rows))


def files(facts: Facts, repo: Reference | None, sheets: Sequence[str]) -> str:
    """The section: every file with what it holds."""
    here = [(name, holds) for name, holds in _HOLDS if (facts.folder / name).exists() or name == contents.WEIGHTS]
    if repo:
        kept = {contents.WEIGHTS, contents.RECIPE, contents.METRICS}
        here = [(name, holds) for name, holds in here if name in kept]
        here.insert(1, (contents.CONFIG, "that configuration by itself"))
        here += [(name, "a sheet of pictures") for name in sheets]
    rows = [[code(name), prose(holds)] for name, holds in (*here, (contents.CARD, "this card"))]
    full = (
        f"`checkpoints/` and `events.jsonl`, where they are here, are for going on with the training: "
        f"`imgen pull {repo} --full --out FOLDER`."
        if repo
        else ""
    )
    return section("Files", table(["file", "what it holds"], rows), full)
