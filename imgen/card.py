"""The model card of a run: what was trained, on whose pictures, how, and how to use it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from imgen import files
from imgen.metrics import number
from imgen.model import ModelConfig

if TYPE_CHECKING:
    from imgen.recipe import Recipe
    from imgen.train.events import Event

_TEXT = """\
---
library_name: imgen
tags: [imgen, gan, {algorithm}]
---
# {title}

{summary}

![Preview: the same inputs throughout, the weights that ship]({preview})

## Use
```
{use}
```

## Data
{about}

## Training
{training}

{metrics}
## Files
`model.safetensors` holds the averaged weights, with their configuration in its header; `recipe.yaml` every setting;
`events.jsonl` what happened; `metrics.jsonl` what was measured, and how; `checkpoints/` what a resumed run needs.

## Recipe
```yaml
{recipe}```
"""


class Card:
    """A listener that writes `README.md` into the run when it finishes."""

    def __init__(self, folder: Path, recipe: Recipe, config: ModelConfig) -> None:
        """folder: the run's."""
        self.folder, self.recipe, self.config = folder, recipe, config
        self._device, self._preview = "", ""
        self._metrics: dict[str, Mapping[str, float]] = {}

    def __call__(self, event: Event) -> None:
        """Note what the card will say, and write it in the end."""
        from imgen.train.events import Evaluated, Finished, Previewed, Started, Unmeasured

        match event:
            case Started():
                self._device = event.device
            case Previewed():
                self._preview = f"previews/{event.path.name}"
            case Evaluated():
                # Of those taken on the way, too: the last one stays.
                self._metrics[event.metric] = event.values
            case Unmeasured():
                self._metrics.pop(event.metric, None)
            case Finished():
                files.write(self.folder / "README.md", self.text(event.step))
            case _:
                pass

    def text(self, step: int) -> str:
        """The card of a run that ended at this step."""
        train = self.recipe.train
        previews = sorted(path.name for path in (self.folder / "previews").glob("*.png"))
        preview = self._preview or (f"previews/{previews[-1]}" if previews else "")
        items = f"{train.batch} items" + (f" of {self.config.data.group}" if self.config.data.group > 1 else "")
        items += " of each domain" if self.config.data.domains else ""
        rows = "".join(
            f"| {metric} | {name} | {number(value)} |\n"
            for metric, values in self._metrics.items()
            for name, value in values.items()
        )
        head = "## Metrics\n| metric | value of | |\n| --- | --- | --- |\n"
        text = _TEXT.format(
            algorithm=self.recipe.algorithm.name,
            title=self.recipe.title,
            summary=f"Trained with imgen's `{self.recipe.algorithm.name}` (plugin {self.config.plugin}).",
            preview=preview,
            use=self._use(),
            about=self.config.data.about or "Not described by its data set.",
            training=f"{step:,} steps of {items}, seed {train.seed}, on {self._device}.",
            metrics=f"{head}{rows}\n" if rows else "",
            recipe=self.recipe.to_yaml(),
        )
        return text if preview else "\n".join(line for line in text.splitlines() if not line.startswith("![")) + "\n"

    def _use(self) -> str:
        """The command that uses the model."""
        data = self.config.data
        if data.vector:
            return "imgen info model.safetensors"
        if data.domains:
            first, second = data.domains
            return f'imgen translate model.safetensors PICTURES --style_A "{first}" --style_B "{second}"'
        if data.attributes:
            edited = data.attributes[0]
            return f'imgen translate model.safetensors PICTURES --to "{edited.name}={edited.values[-1]}"'
        if data.factors:
            return "imgen traverse model.safetensors\nimgen encode model.safetensors PICTURES"
        return "imgen sample model.safetensors"
