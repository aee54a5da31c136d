"""`imgen sample`: pictures from a trained generator, with parts of their latents held fixed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from imgen.commands.options import as_json, called, device, find_weights, give, pick_device

if TYPE_CHECKING:
    from torch import Tensor

    from imgen.model import Generator, ModelConfig
    from imgen.plugins import Plugins

_FRAMES = 8  # of a GIF for each observation that it passes


@click.command()
@click.argument("model", required=False)
@click.option("-n", "count", metavar="N", type=click.IntRange(1, 100_000), help="N pictures, all of them different.")
@click.option("--fix-identity", is_flag=True, help="A row shows one identity.")
@click.option("--fix-observation", is_flag=True, help="A column shows one observation. Both together make a grid.")
@click.option(
    "--identities", metavar="N", type=click.IntRange(1, 1000), help="Rows; default 6, or 4 with --interpolate."
)
@click.option("--observations", metavar="N", type=click.IntRange(1, 1000), help="Columns; default 8, or 4.")
@click.option("--interpolate", is_flag=True, help="Between two pictures: identity moves down, observation across.")
@click.option("--gif", is_flag=True, help="A walk through observations, each identity staying itself.")
@click.option("--files", is_flag=True, help="Every picture in a file of its own, in the folder --out.")
@click.option("--seed", metavar="N", type=click.IntRange(0), default=0, help="What the latents follow from; default 0.")
@click.option("--out", metavar="PATH", type=click.Path(path_type=Path), help="Where to write; default samples/NAME.")
@device
@as_json
@click.pass_obj
def sample(found: Plugins, model: str | None, out: Path | None, **options: Any) -> None:
    """Draw pictures from a trained generator.

    MODEL is a run folder or a model.safetensors; left out, it is the newest run that can do what is asked. Rows are
    identities and columns observations. The same seed gives the same pictures, however many are drawn at once; a
    file of the same name is replaced.
    """
    from imgen.build import load_model, outline
    from imgen.sampling import need

    _check(options)
    asked = _codes_asked(options)
    place = pick_device(options["device"])

    def can(config: ModelConfig, path: Path) -> bool:
        codes = _codes_of(outline(config, found, path))
        return bool(codes) and set(asked) <= set(codes)

    weights = find_weights(model, can, _what(asked))
    loaded, config = load_model(weights, found, place)
    need(_codes_of(loaded), asked, str(weights))
    generator: Generator = loaded  # type: ignore[assignment]
    name = f"{called(weights, config)}-{_mode(options, asked)}-seed{options['seed']}"
    paths = _gif(generator, options, out, name) if options["gif"] else _sheet(generator, options, asked, out, name)
    if options["as_json"]:
        give({"model": str(weights), "seed": options["seed"], "paths": [str(path) for path in paths]})
    else:
        for path in paths:
            click.echo(path)


def _sheet(model: Generator, options: dict[str, Any], asked: list[str], out: Path | None, name: str) -> list[Path]:
    from imgen import images, sampling

    z = _latents(model, options, asked)
    shown = sampling.pictures(model, z.flatten(0, 1)).unflatten(0, z.shape[:2])
    if not options["files"]:
        path = _target(out, name, ".png")
        if options["count"]:
            shown = _trim(shown, options["count"])
        images.save_png(images.sheet(shown), path)
        return [path]
    folder = out or Path("samples") / name
    cells = [(row, column) for row in range(z.shape[0]) for column in range(z.shape[1])]
    paths = []
    for number, (row, column) in enumerate(cells[: options["count"] or len(cells)]):
        file = f"{number:05d}.png" if options["count"] or not asked else f"id{row:03d}_obs{column:03d}.png"
        images.save(images.sheet(shown[row : row + 1, column : column + 1], gap=0), folder / file)
        paths.append(folder / file)
    return paths


def _latents(model: Generator, options: dict[str, Any], asked: list[str]) -> Tensor:
    from imgen import sampling

    if options["interpolate"]:
        return sampling.interpolated(model, options["identities"] or 4, options["observations"] or 4, options["seed"])
    if options["count"]:
        columns = min(options["count"], max(1, round(options["count"] ** 0.5)))
        return sampling.controlled(model, -(-options["count"] // columns), columns, [], options["seed"])
    both = {"identity", "observation"} <= set(model.codes)
    fixed = asked_fixed if (asked_fixed := _fixed(options)) or not both else ["identity", "observation"]
    return sampling.controlled(model, options["identities"] or 6, options["observations"] or 8, fixed, options["seed"])


def _gif(model: Generator, options: dict[str, Any], out: Path | None, name: str) -> list[Path]:
    from imgen import images, sampling

    stops = options["observations"] or 8
    z = sampling.walk(model, options["identities"] or 6, stops, stops * _FRAMES, options["seed"])
    shown = sampling.pictures(model, z.flatten(0, 1)).unflatten(0, z.shape[:2])
    path = _target(out, name, ".gif")
    images.save_gif([images.sheet(frame[None]) for frame in shown], path)
    return [path]


def _trim(shown: Tensor, count: int) -> Tensor:
    """White in place of the cells beyond the count."""
    flat = shown.flatten(0, 1).clone()
    flat[count:] = 255
    return flat.view_as(shown)


def _target(out: Path | None, name: str, ending: str) -> Path:
    if out is None:
        return Path("samples") / f"{name}{ending}"
    if out.is_dir() or not out.suffix:
        return out / f"{name}{ending}"
    if out.suffix.lower() != ending:
        raise click.UsageError(f"--out {out}: this writes a {ending} file; give a name that ends so, or a folder")
    return out


def _check(options: dict[str, Any]) -> None:
    modes = [name for name in ("count", "interpolate", "gif") if options[name]]
    if len(modes) > 1:
        raise click.UsageError(f"{_flag(modes[0])} and {_flag(modes[1])} exclude each other")
    if options["count"]:
        for name in ("fix_identity", "fix_observation", "identities", "observations"):
            if options[name]:
                raise click.UsageError(
                    f"-n draws different pictures; with {_flag(name)} give --identities and --observations"
                )
    if options["gif"] and options["files"]:
        raise click.UsageError("--gif writes one file; leave --files out")


def _flag(name: str) -> str:
    return "-n" if name == "count" else "--" + name.replace("_", "-")


def _fixed(options: dict[str, Any]) -> list[str]:
    return [code for code in ("identity", "observation") if options[f"fix_{code}"]]


def _codes_asked(options: dict[str, Any]) -> list[str]:
    if options["interpolate"] or options["gif"]:
        return ["identity", "observation"]
    return _fixed(options)


def _what(asked: list[str]) -> str:
    return f"has a model with the code '{asked[0]}'" if asked else "has a model that can be sampled"


def _codes_of(model: object) -> list[str]:
    return list(getattr(model, "codes", {}))


def _mode(options: dict[str, Any], asked: list[str]) -> str:
    if options["count"]:
        return str(options["count"])
    if options["interpolate"]:
        return "interpolate"
    if options["gif"]:
        return "walk"
    return "-".join(["fix", *_fixed(options)]) if asked else "grid"
