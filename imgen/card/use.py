"""How a model is used: commands, Python and what to install, by what it can do."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from imgen.card.facts import Facts
from imgen.card.text import code, fenced, listed, prose, section
from imgen.hub.reference import Reference
from imgen.model import Classifier, Embedder, Encoder, Generator, Translator
from imgen.translating.ways import can

_MOST = 40  # names
_TASKS = {
    "translates": "image-to-image",
    "generates": "unconditional-image-generation",
    "classifies": "image-classification",
    "encodes": "image-feature-extraction",
    "embeds": "image-feature-extraction",
}
_MEANS = {
    "generates": "makes pictures from latents",
    "translates": "makes pictures from pictures",
    "encodes": "reads codes from pictures",
    "classifies": "tells the attributes of pictures",
    "embeds": "gives pictures places, near for those that are alike",
}


@dataclass(frozen=True)
class Abilities:
    """What a model can do, of the kinds of `imgen.model`; vector: of vectors and not of pictures."""

    kinds: tuple[str, ...]
    vector: bool = False

    @property
    def task(self) -> str:
        """The Hub's name for it, the most telling one; '' where it has none."""
        return "" if self.vector else next((task for kind, task in _TASKS.items() if kind in self.kinds), "")

    @property
    def words(self) -> str:
        """In words, for a sentence that starts with the model; '' where it is not known."""
        told = [words for kind, words in _MEANS.items() if kind in self.kinds]
        told = [words.replace("pictures", "points") for words in told] if self.vector else told
        return " and ".join([", ".join(told[:-1]), told[-1]] if len(told) > 1 else told)

    @property
    def makes(self) -> bool:
        """Whether pictures come out of it."""
        return "generates" in self.kinds or "translates" in self.kinds


def abilities(facts: Facts) -> Abilities:
    """What the model of a weights file can do; nothing is known where its plugin is not here."""
    protocols = {
        "generates": Generator,
        "translates": Translator,
        "encodes": Encoder,
        "classifies": Classifier,
        "embeds": Embedder,
    }
    model = facts.model
    kinds = tuple(kind for kind, protocol in protocols.items() if model is not None and isinstance(model, protocol))
    return Abilities(kinds, bool(facts.config.data.vector))


def use(facts: Facts, repo: Reference | None) -> str:
    """The section: what to install, the one-line use, and the same in Python."""
    able = abilities(facts)
    here = "Then:" if repo else "Then, in the folder of this card:"
    return section(
        "Use",
        _install(facts),
        here,
        fenced("\n".join(commands(facts, repo)), "sh"),
        _names(facts),
        "The same in Python:",
        fenced("\n".join(_python(facts, able, repo)), "python"),
    )


def _install(facts: Facts) -> str:
    plugin, package, version = facts.plugin
    if not package:
        name = code(plugin) or "without a name"
        return f"Needs imgen and the plugin {name}; the weights name no package that holds it."
    if package == "imgen":
        return fenced("pip install imgen", "sh")
    told = (
        f"Its plugin {code(plugin)} is in the package {code(package)}; the model was made with version {code(version)}."
    )
    return f"{told}\n\n{fenced(f'pip install imgen {package}', 'sh')}"


def commands(facts: Facts, repo: Reference | None) -> list[str]:
    """Commands that use the model, the most telling one first."""
    able = abilities(facts)
    target = str(repo) if repo else facts.weights.name
    lines: list[str] = []
    if able.vector or not able.kinds:
        return [f"imgen info {target}"]
    if "translates" in able.kinds:
        lines.append(f"imgen translate {target} PICTURES {_style(facts)}".rstrip())
    if "generates" in able.kinds and "encodes" not in able.kinds:
        lines.append(f"imgen sample {target}")
        if {"identity", "observation"} <= set(getattr(facts.model, "codes", ())):
            lines.append(f"imgen sample {target} --fix-identity    # a row shows one identity")
    if "encodes" in able.kinds:
        lines += [f"imgen traverse {target}"] if "generates" in able.kinds else []
        lines.append(f"imgen encode {target} PICTURES")
    if "embeds" in able.kinds:
        lines.append(f"imgen evaluate RUN -m identity-verification -s embedding={target}")
    return lines or [f"imgen info {target}"]


def _style(facts: Facts) -> str:
    """The options that ask for the first thing that a translator can do."""
    data = facts.config.data
    if data.domains:
        first, second = data.domains[:2]
        return f"{_option('--style_A', first)} {_option('--style_B', second)}"
    if data.attributes:
        edited = data.attributes[0]
        return _option("--to", f"{edited.name}={edited.values[-1]}") if edited.values else ""
    return ""


def _option(name: str, value: str) -> str:
    return f"{name}={shlex.quote(value)}" if value.startswith("-") else f"{name} {shlex.quote(value)}"


def _python(facts: Facts, able: Abilities, repo: Reference | None) -> list[str]:
    data = facts.config.data
    shape = f"1, {data.vector}" if data.vector else ", ".join(map(str, (1, *data.image)))
    what = "points" if data.vector else "pictures in [-1, 1]"
    given = f"{'points' if data.vector else 'pictures'} = torch.zeros({shape})  # yours: (number, {shape[3:]}), {what}"
    name = given.partition(" ")[0]
    lines: list[str] = []
    if "generates" in able.kinds:
        lines.append("made = model(torch.cat([model.draw(code, 8) for code in model.codes], dim=1))  # in [-1, 1]")
    readers = {
        "translates": f"made = model.translate({name}, model.ways[0])",
        "encodes": f"codes = model.encode({name})",
        "classifies": f"told = model.classify({name})  # probabilities, by attribute",
        "embeds": f"places = model.embed({name})",
    }
    reading = [line for kind, line in readers.items() if kind in able.kinds]
    lines += [given, *reading] if reading else []
    name = str(repo) if repo else facts.weights.name
    imports = ["import imgen", *(["import torch"] if lines else []), ""]
    return [*imports, f'model, config = imgen.load("{name}")', *lines]


def abilities_in_words(facts: Facts) -> str:
    """A sentence on what the model does, with what it reads or makes."""
    able, data = abilities(facts), facts.config.data
    if not able.words:
        return ""
    channels, height, width = data.image
    size = f"{data.vector} numbers each" if data.vector else f"{width}x{height} pixels, {in_colour(channels)}"
    return f"The model {able.words}: {size}."


def in_colour(channels: int) -> str:
    """What pictures of so many channels are."""
    return {1: "grey", 3: "in colour"}.get(channels, f"{channels} channels")


def _names(facts: Facts) -> str:
    """What a model's translations and codes are called; '' for those that have none."""
    model = facts.model
    parts = []
    if isinstance(model, Translator):
        parts.append(prose(f"It {can(model.ways)}.", 2000))
    codes: list[str] = list(model.encodes) if isinstance(model, Encoder) else []
    if isinstance(model, Generator) and list(model.codes) != codes:
        sizes = [f"{code(name)} ({size:,} numbers)" for name, size in model.codes.items()]
        parts.append(f"Its latent is made up of {listed(sizes, _MOST)}.")
    if codes:
        also = ", and makes pictures of them" if isinstance(model, Generator) and list(model.codes) == codes else ""
        parts.append(f"It reads the codes {listed([code(name) for name in codes], _MOST)}{also}.")
    return "\n\n".join(parts)
