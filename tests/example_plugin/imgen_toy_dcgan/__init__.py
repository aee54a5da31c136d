"""What this plugin brings to imgen, and under which names."""

from __future__ import annotations

from pathlib import Path

from imgen import hookimpl
from imgen.registry import Register


@hookimpl
def register_datasets(register: Register) -> None:
    register("imgen_toy_dcgan.dcgan:discs", name="toy-discs")


@hookimpl
def register_losses(register: Register) -> None:
    register("imgen_toy_dcgan.dcgan:margin", name="toy-margin")


@hookimpl
def register_models(register: Register) -> None:
    register("imgen_toy_dcgan.dcgan:ToyGenerator", name="toy-dcgan")


@hookimpl
def register_algorithms(register: Register) -> None:
    register("imgen_toy_dcgan.dcgan:ToyDcgan", name="toy-dcgan")


@hookimpl
def register_recipes(register: Register) -> None:
    register(Path(__file__).with_name("toy-dcgan.yaml"), name="toy-dcgan")
