"""The command line in this process and in one of its own, a tiny recipe, plugins on disk, and the shared data."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

# One thread for each worker, and for the processes that tests start: the networks are tiny and the cores shared.
os.environ["OMP_NUM_THREADS"] = "1"

SHARED = Path(__file__).parents[1].parent / "shared/data"

TINY = """\
# What the tests train
#
#   imgen train tiny.yaml
algorithm:
  name: sddcgan
  d_identity: 4
  d_observation: 4
  dim: 4
dataset:
  name: shapes
  identities: 6
  photos: 4
  size: 16
train:
  steps: 4
  batch: 4
  ema_half_life: 100
  log_every: 1
  preview_every: 0
  save_every: 2
  tensorboard: false
"""


@dataclass(frozen=True)
class Said:
    """What a command line came to. lines: of standard error."""

    status: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return self.err.splitlines()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--regolden", action="store_true", help="write the golden curves anew instead of comparing them")


LONG = (
    "test_ray.py",
    "test_journey.py",
    "test_kills.py",
    "test_two_processes",
    "test_torchrun.py",
    "test_label_sweep.py",
    "docs/",
)
"""Files of tests that take long."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones come first, so that no process is left alone with one in the end."""
    items.sort(key=lambda item: not any(name in str(item.path) for name in LONG))


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput"):
        import torch

        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _own_surroundings(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """No cache, choice of plugins or group of processes from outside reaches a test."""
    monkeypatch.setenv("IMGEN_CACHE", str(tmp_path_factory.mktemp("cache")))
    for name in ("IMGEN_PLUGINS", "IMGEN_DEBUG", "RANK", "WORLD_SIZE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def cli(here: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """Runs a command line in this process: `cli("train", path)`."""

    def run(*argv: str | Path) -> Said:
        from imgen.cli import main

        capsys.readouterr()
        status = main([str(word) for word in argv])
        return Said(status, *capsys.readouterr())

    return run


@pytest.fixture
def process(here: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `python ...` in a process of its own, in the working folder; killed when the test ends."""
    started: list[subprocess.Popen[str]] = []

    def start(*argv: str | Path, **env: str) -> subprocess.Popen[str]:
        command = [sys.executable, *map(str, argv)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL}
        started.append(subprocess.Popen(command, cwd=here, env=os.environ | env, text=True, **pipes))
        return started[-1]

    yield start
    for each in started:
        each.kill()
        each.communicate()


@pytest.fixture
def real_cli(process: Callable[..., subprocess.Popen[str]]) -> Callable[..., Said]:
    """Runs `python -m imgen ...` to its end in a process of its own."""

    def run(*argv: str | Path, **env: str) -> Said:
        running = process("-m", "imgen", *argv, **env)
        out, err = running.communicate(timeout=240)
        return Said(running.returncode, out, err)

    return run


@pytest.fixture
def tiny(here: Path) -> Path:
    """A recipe of four steps on drawn pictures, `tiny.yaml` in the working folder."""
    (here / "tiny.yaml").write_text(TINY)
    return here / "tiny.yaml"


@pytest.fixture
def tree() -> Callable[[Path], dict[str, bytes]]:
    """Every file in a folder with its bytes, to see that nothing was written."""

    def read(folder: Path) -> dict[str, bytes]:
        return {
            str(path.relative_to(folder)): path.read_bytes() if path.is_file() else b"folder"
            for path in sorted(folder.rglob("*"))
        }

    return read


@pytest.fixture
def shared_data() -> Callable[[str], Path]:
    """The path of a development data set; the test is skipped where it is absent."""

    def find(name: str) -> Path:
        if not (SHARED / name).exists():
            pytest.skip(f"development data is not at hand: ../shared/data/{name} is absent")
        return SHARED / name

    return find


@pytest.fixture
def write_plugin(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., EntryPoint]]:
    """Writes a plugin as pip would install it and gives its entry point: `write_plugin("name", "source")`.

    The fixture's attribute `home` is the folder, to be put on a subprocess's PYTHONPATH.
    """
    home = tmp_path_factory.mktemp("installed")
    monkeypatch.syspath_prepend(str(home))
    modules: set[str] = set()

    def write(
        name: str, source: str, *, package: str = "", version: str = "1.0", requires: Sequence[str] = ()
    ) -> EntryPoint:
        from importlib import invalidate_caches
        from importlib.metadata import distributions

        package = package or f"stranger-{name}"
        module = f"stranger_{name.replace('-', '_')}"
        modules.add(module)
        (home / f"{module}.py").write_text(textwrap.dedent(source))
        info = home / f"{package.replace('-', '_')}-{version}.dist-info"
        info.mkdir(exist_ok=True)
        needs = "".join(f"Requires-Dist: {each}\n" for each in requires)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: {version}\n{needs}")
        (info / "entry_points.txt").write_text(f"[imgen]\n{name} = {module}\n")
        invalidate_caches()
        (found,) = (dist for dist in distributions(path=[str(home)]) if dist.name == package)
        (point,) = found.entry_points
        return point

    write.home = home  # type: ignore[attr-defined]
    yield write
    for module in modules:
        sys.modules.pop(module, None)


@pytest.fixture
def plugins():
    """The plugins that are installed."""
    from imgen.plugins import installed

    return installed()
