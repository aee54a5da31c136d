"""The models that `imgen select` compares: RUNS as they are given on the command line, and what is known of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from imgen.commands.options import called, find_weights, say
from imgen.errors import ImgenError, WeightsError

if TYPE_CHECKING:
    from imgen.evaluating.comparing import Summary
    from imgen.model import ModelConfig
    from imgen.plugins import Plugins


@dataclass(frozen=True)
class Candidate:
    """A model to compare.

    name: unlike any other's; run: the folder of its run, if it lies in one; named: itself, and not a folder it is in.
    """

    name: str
    weights: Path
    run: Path | None
    config: ModelConfig
    named: bool = True

    @property
    def target(self) -> Path:
        """What to give other commands: the run, where that means these very weights."""
        from imgen.train.run import weights_of

        whole = self.run is not None and weights_of(self.run).resolve() == self.weights.resolve()
        return self.run if whole and self.run is not None else self.weights


def gather(words: Sequence[str], found: Plugins) -> list[Candidate]:
    """The models that words name, each once: runs, weights files, RUN@NAME, and folders with all runs in them.

    What was found in a folder and cannot be compared is told and passed over; what was named has to fit.

    Raises: `WeightsError` with a line for each that does not fit, or where fewer than two are left.
    """
    from imgen.model import read_config
    from imgen.train.run import run_of

    kept: dict[Path, Candidate] = {}
    wrong: list[str] = []
    for path, named in _each(words):
        try:
            weights = find_weights(str(path), lambda config, path: True, "")
            config = read_config(weights)
            _need(config, weights, found)
        except ImgenError as error:
            if named:
                wrong.append(str(error))
            else:
                say(f"passing over {error}")
            continue
        if weights.resolve() in kept:
            say(f"{path}: is {kept[weights.resolve()].weights}, which counts once")
            continue
        kept[weights.resolve()] = Candidate(called(weights, config), weights, run_of(weights), config, named)
    if wrong:
        raise WeightsError("\n".join(wrong))
    return _checked(_told_apart(list(kept.values())))


def sound(chosen: Sequence[Candidate], found: Plugins, device: str) -> list[Candidate]:
    """Those whose pictures and codes are numbers, as those of a model whose training went astray are not.

    What was found in a folder is told and passed over.

    Raises: `WeightsError` with a line for each that was named, or where fewer than two are left.
    """
    import torch

    from imgen.build import load_model
    from imgen.selecting.reading import astray

    kept, wrong = [], []
    for each in chosen:
        what = astray(load_model(each.weights, found, device)[0], torch.device(device))
        if not what:
            kept.append(each)
        elif each.named:
            wrong.append(
                f"{each.weights}: its {what} are not numbers, as after training that went astray; leave it out"
            )
        else:
            say(f"passing over {each.weights}: its {what} are not numbers")
    if wrong:
        raise WeightsError("\n".join(wrong))
    return _checked(kept)


def summary_of(candidate: Candidate) -> Summary:
    """Settings and records, those of the very state where it is not the last one; of a lone file what it tells."""
    from imgen.evaluating.comparing import Summary, summaries
    from imgen.recipe import flat

    config = candidate.config
    step = config.origin.get("step")
    if candidate.run is None:
        told: dict[str, Any] = {"algorithm": {"name": config.origin.get("algorithm", config.name), **config.settings}}
        settings = {**flat(told), "train.seed": config.origin.get("seed")}
        return Summary(candidate.weights, "complete", step if isinstance(step, int) else 0, 0, settings, ())
    (found,) = summaries([candidate.run])
    return replace(found, records=[record for record in found.records if step is None or record.step in (step, None)])


def _each(words: Sequence[str]) -> Iterator[tuple[Path | str, bool]]:
    """Every model that words stand for, and whether it was named itself."""
    from imgen.evaluating.comparing import runs_in
    from imgen.train.run import is_complete, is_run

    for word in words:
        path = Path(word)
        if not path.is_dir() or is_run(path) or (path / "model.safetensors").is_file():
            yield word, True
            continue
        inner = list(runs_in(path))
        if not inner:
            raise WeightsError(f"{path}: no run, and none in it; give run folders, or a folder of runs")
        for run in inner:
            if is_complete(run):
                yield run, False
            else:
                say(f"passing over {run}: not finished; name it to take it as it is")


def _need(config: ModelConfig, weights: Path, found: Plugins) -> None:
    """Raises: `WeightsError` where a model does not both make pictures from codes and read codes."""
    from imgen.build import outline
    from imgen.model import Encoder, Generator
    from imgen.selecting.reading import fixable

    model = outline(config, found, weights)
    if not isinstance(model, Generator) or not getattr(model, "codes", None):
        raise WeightsError(
            f"{weights}: its model '{config.name}' makes no pictures from codes; give models that do, and read them"
        )
    if not isinstance(model, Encoder) or not model.encodes:
        raise WeightsError(
            f"{weights}: its model '{config.name}' reads no codes from pictures; give models that make and read them"
        )
    if not fixable(model):
        raise WeightsError(
            f"{weights}: its model '{config.name}' reads none of the codes that it makes pictures from "
            f"({', '.join(model.codes)}), but others ({', '.join(model.encodes)})"
        )


def _checked(found: list[Candidate]) -> list[Candidate]:
    """Raises: `WeightsError` where they are fewer than two, or pictures differ in shape."""
    if len(found) < 2:
        had = f"{found[0].weights} is one" if found else "there is none"
        raise WeightsError(f"selecting compares models with one another, and {had}; give two or more")
    first = found[0]
    wrong = [
        f"{other.weights}: its pictures are {_shape(other.config)}, those of {first.weights} {_shape(first.config)}; "
        "give models of the same pictures"
        for other in found[1:]
        if (other.config.data.image, other.config.data.vector) != (first.config.data.image, first.config.data.vector)
    ]
    if first.config.data.vector:
        wrong.append(f"{first.weights}: its model is of vectors; give models of pictures")
    if wrong:
        raise WeightsError("\n".join(wrong))
    return found


def _shape(config: ModelConfig) -> str:
    channels, height, width = config.data.image
    return f"{width}x{height} in {channels} channel{'' if channels == 1 else 's'}"


def _told_apart(found: list[Candidate]) -> list[Candidate]:
    """Short names where they tell models apart, and else where these lie."""
    names = [each.name for each in found]
    return [
        each if names.count(each.name) == 1 else replace(each, name=str(each.target if each.run else each.weights))
        for each in found
    ]
