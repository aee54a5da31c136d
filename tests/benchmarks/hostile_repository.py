"""A valid repository of each model that ships, as small as it can be: what hostile ones are made from."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from safetensors.torch import save

from imgen.data.spec import Attribute, DataSpec, Factor
from imgen.hub import contents
from imgen.metrics import Measured, records
from imgen.model import ModelConfig, digest_of, write_model
from imgen.plugins import Plugins

STEP = 3
STATE = f"checkpoints/step-{STEP:08d}"
_TWO = (Attribute("Male", ("not Male", "Male")), Attribute("Hair", ("Blond", "Black", "Brown")))
_FACTORS = (Factor("shape", 3, ordered=False), Factor("x", 0))
_RECIPE = """\
# As it was trained.
algorithm: {name: sddcgan, d_identity: 4, d_observation: 4, dim: 4}
dataset:
  name: shapes
  identities: 6
  photos: 4
  size: 16
train:
  steps: 4
  batch: 4
  seed: 3
metrics:
- name: diversity
  pictures: 10
"""


@dataclass(frozen=True)
class Repository:
    """Files by their paths in the repository, and the model that they hold."""

    name: str
    files: dict[str, bytes]
    config: ModelConfig


MODELS: dict[str, tuple[DataSpec, dict[str, Any]]] = {
    "sddcgan": (DataSpec(image=(3, 16, 16), group=2), {"d_identity": 4, "d_observation": 4, "dim": 4}),
    "sdbegan": (DataSpec(image=(3, 16, 16), group=2), {"d_identity": 4, "d_observation": 4, "hidden": 4}),
    "discogan": (DataSpec(image=(3, 16, 16), domains=("a", "not b")), {"levels": 3, "width": 4, "hidden": 8}),
    "sggan": (DataSpec(image=(3, 16, 16), attributes=_TWO), {"width": 4, "blocks": 1, "d_width": 4, "narrow": [0]}),
    "stargan": (DataSpec(image=(3, 16, 16), attributes=_TWO), {"width": 4, "blocks": 1, "d_width": 4}),
    "infogan": (DataSpec(image=(1, 64, 64), factors=_FACTORS), {"dim": 2, "hidden": 4}),
    "factor-vae": (DataSpec(image=(1, 64, 64), factors=_FACTORS), {"num_codes": 4, "dim": 2, "hidden": 4}),
    "attribute-classifier": (DataSpec(image=(3, 16, 16), attributes=_TWO), {"width": 4}),
    "identity-embedding": (DataSpec(image=(3, 16, 16)), {"dims": 8, "width": 4}),
}


def repositories(plugins: Plugins, folder: Path) -> list[Repository]:
    """One of each model, with training state. folder: to write in."""
    return [_repository(name, plugins, folder) for name in MODELS]


def put(files: dict[str, bytes], folder: Path) -> None:
    """Write a repository's files."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)


def _repository(name: str, plugins: Plugins, folder: Path) -> Repository:
    spec, settings = MODELS[name]
    entry = plugins.registry("models").get(name)
    origin = {"recipe": "tiny", "algorithm": "sddcgan", "step": STEP, "seed": 3, "imgen": "0.1.0"}
    config = ModelConfig(name=name, settings=settings, data=spec, plugin=plugins.owner(entry.plugin), origin=origin)
    torch.manual_seed(0)
    tensors = entry.load()(spec, **_typed(settings)).state_dict()
    weights = folder / "weights"
    write_model(weights, config, tensors)
    content = weights.read_bytes()
    told = {"library_name": "imgen", **config.to_json(), "sha256": digest_of(weights)}
    state = {name: torch.ones(2, 3) for name in ("g/a/exp_avg", "g/a/exp_avg_sq")} | {"g/a/step": torch.tensor(3.0)}
    training = {
        "algorithm.safetensors": save({"a": torch.ones(2, 3)}),
        "optim.safetensors": save(state),
        "ema.safetensors": content,
    }
    files = {
        contents.WEIGHTS: content,
        contents.CONFIG: (json.dumps(told, indent=1) + "\n").encode(),
        contents.RECIPE: _RECIPE.encode(),
        contents.CARD: b"---\nlibrary_name: imgen\n---\n# Tiny\n\nDrawn.\n",
        contents.METRICS: _records(digest_of(weights)),
        "sheets/preview.png": _picture("PNG"),
        "sheets/walk.gif": _picture("GIF"),
        "events.jsonl": _events(),
        **{f"{STATE}/{file}": each for file, each in training.items()},
        f"{STATE}/state.json": _state(training),
    }
    return Repository(name, files, config)


def _typed(settings: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()}


def _state(training: dict[str, bytes]) -> bytes:
    import hashlib

    files = {name: [len(content), hashlib.sha256(content).hexdigest()] for name, content in training.items()}
    return json.dumps({"algorithm": "sddcgan", "world": 1, "owed": False, "step": STEP, "files": files}).encode()


def _records(digest: str) -> bytes:
    from dataclasses import replace

    told = Measured(values={"ms_ssim": 0.25, "other": float("nan")}, counts={"pairs": 10}, notes=("few",))
    record = records.Record.of("diversity", {"pairs": 10}, [told, told], [0, 1])
    kept = [replace(record, step=STEP, sha256=digest), replace(record, step=1, during=True)]
    return "".join(json.dumps(each.to_json()) + "\n" for each in kept).encode()


def _events() -> bytes:
    told = [
        {"event": "started", "time": "2026-01-01T00:00:00+00:00", "step": 0, "steps": STEP, "device": "cpu"},
        {"event": "finished", "time": "2026-01-01T00:01:00+00:00", "step": STEP, "seconds": 60.0},
    ]
    return "".join(json.dumps(line) + "\n" for line in told).encode()


def _picture(format: str) -> bytes:
    kept = io.BytesIO()
    Image.new("RGB" if format == "PNG" else "L", (24, 16), 127).save(kept, format)
    return kept.getvalue()
