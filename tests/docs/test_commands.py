"""Every command of the READMEs is run as it is written, from top to bottom, in a folder with stand-ins for the data."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from acted import stand_ins
from written.pages import CONTRIBUTING, PAGES, README, ROOT, blocks, commands

INFOGAN_CR, SGGAN = (ROOT / f"plugins/imgen_{name}/README.md" for name in ("infogan_cr", "sggan"))

IN_VENV = "python3 -m venv .venv && .venv/bin/pip install -c constraints.txt -e"
NOT_RUN = {
    README: {
        f"{IN_VENV} . && .venv/bin/imgen train quickstart && .venv/bin/imgen sample --fix-identity": "pip; `.ci/run` "
        "trains and samples the quickstart where the wheel is installed",
        f"{IN_VENV} '.[test]' && .venv/bin/pytest": "pip; `.ci/run` runs this very block",
        "hf auth login": "asks for a token",
        "pytest --imgen-plugin my-method": "the plugin is not installed here; tests/scaffold/test_journey.py does it",
        "imgen train my-method": "the same; test_tutorial.py trains it, too",
        "imgen uninstall my-method": "the same",
    },
    INFOGAN_CR: {
        "imgen data make dsprites": "12 s of a core; tests/data/factored/test_original_layout.py draws fewer pictures",
        'python -c "from imgen.data.factored.dsprites import dsprites as d; import imgen_infogan_cr.shape_classifier '
        "as c; c.shape_classifier_of(d(), c.Training(), 'shapes.safetensors')\"": "57,600 steps; the line before it "
        "does the same in small",
    },
    SGGAN: {
        "imgen sggan labels recipes/sggan_drawn.yaml recipes/stargan_drawn.yaml --counts 10,33,all": "six processes of "
        "`imgen train`; tests/sggan/test_label_sweep.py runs fewer",
    },
}
"""Lines that are not run here, by page, each with the reason."""

ADDED = {
    # Ray would be started, and 20 runs as processes: tests/sweeping does that.
    r"imgen sweep ": "--dry-run",
    r"imgen install ": "--dry-run",
    r"imgen train theirs ": "--steps 4",
    r"imgen sample sdbegan-web ": "--identities 2 --observations 2",
    r"imgen data make teapots ": "--images 4 --groups 1 --processes 1",
    r"imgen select ": "--groups 4 --group-size 4 --free 64",
}
"""What is added to a line that would take minutes or change the environment, by pattern."""

FOLDERS: list[tuple[str, Callable[[Path], None]]] = [
    (r"folder-domains", stand_ins.two_folders),
    (r"--attrs|sggan|discogan", stand_ins.celeba),
    (r"import-web", stand_ins.web_demo),
    (r"", stand_ins.people),
]
"""What FOLDER stands for in a line: the first whose pattern is found."""

STAND_INS: dict[str, Callable[[Path], None]] = {
    "CELEBA": stand_ins.celeba,
    "PHOTOS": stand_ins.pictures,
    "photos": stand_ins.pictures,
    "my/photos": stand_ins.pictures,
    "PICTURES": stand_ins.sprites,
    "pictures": stand_ins.sprites,
    "horse2zebra": stand_ins.horse2zebra,
    "facades": stand_ins.aligned,
    "edges2shoes": stand_ins.aligned,
    "edges2handbags": stand_ins.other_aligned,
    "UTKFace": stand_ins.utkface,
    "shoes": stand_ins.many_pictures,
}
"""Folders by the names that pages give them."""

BESIDE: dict[str, Callable[[Path], None]] = {
    "codes.npz": stand_ins.codes,
    "img_align_celeba.zip": stand_ins.zipped_celeba,
    "PHOTO": lambda folder: stand_ins.picture(folder / "PHOTO", (48, 48)),
    "photo.jpg": lambda folder: stand_ins.picture(folder / "photo.jpg", (48, 48)),
    "PICTURE": lambda folder: stand_ins.picture(folder / "PICTURE", (64, 64)),
    "picture.png": lambda folder: stand_ins.picture(folder / "picture.png", (64, 64)),
}
"""Files that are made in the folder itself."""

RUNS = [
    (r"drawn-identity", "imgen train quickstart --out RUN", ""),
    (r"identity-verification", "", "sd*"),
    (r"", "", "*"),
]
"""What RUN stands for in a line: what makes it, or the newest run of that name."""

WRITE = ("train", "sample", "traverse", "encode", "translate", "data make", "data prepare", "data split", "data pack")
WRITE += ("sdgan import-web", "pull", "new plugin")
"""Commands that print the paths that they have written."""


class Stage:
    """A folder in which a page is acted out."""

    def __init__(self, folder: Path, kept: Path, cli: Callable) -> None:
        """kept: what the pages share, made by the first that needs it; cli: the fixture, whose working folder it is."""
        self.folder, self.kept, self.cli = folder, kept, cli

    def data(self, make: Callable[[Path], None]) -> Path:
        """Data of a kind."""
        path = self.kept / "data" / make.__name__
        if not path.exists():
            path.mkdir(parents=True)
            make(path)
        return path

    def prepare(self, line: str, words: list[str]) -> None:
        """Put in place what a line names."""
        if "FOLDER" in words and "make" not in words:
            make = next(make for pattern, make in FOLDERS if re.search(pattern, line))
            stand_ins.lead(self.folder / "FOLDER", self.data(make))
        for word in words:
            if word in STAND_INS:
                stand_ins.lead(self.folder / word, self.data(STAND_INS[word]))
            if word in BESIDE and not (self.folder / word).exists():
                BESIDE[word](self.folder)
        if re.search(r"\bRUN\b", line):
            self.lead_run(line)
        if "OTHER_RUN" in words and not (self.folder / "OTHER_RUN").exists():
            stand_ins.lead(self.folder / "OTHER_RUN", self.seeded(1, "runs/other"))
        if "runs/sweeps/infogan_cr" in words and not (self.folder / "runs/sweeps/infogan_cr").exists():
            for seed in (0, 1):
                self.seeded(seed, f"runs/sweeps/infogan_cr/seed={seed}")

    def seeded(self, seed: int, path: str) -> Path:
        """A run of InfoGAN-CR that pages speak of but do not train."""
        made = self.kept / f"infogan_cr-{seed}"
        if not made.exists():
            self.run(f"imgen train infogan_cr --seed {seed} --out {made}")
        return Path(shutil.copytree(made, self.folder / path))

    def lead_run(self, line: str) -> None:
        """Let RUN be a run that a line can be said of."""
        making, named = next((making, named) for pattern, making, named in RUNS if re.search(pattern, line))
        path = self.folder / "RUN"
        path.unlink(missing_ok=True)
        if making:
            self.run(making.replace("RUN", "runs/of-the-line"))
        found = (self.folder / "runs").glob(f"{named or 'of-the-line'}/model.safetensors")
        stand_ins.lead(path, max(found, key=lambda weights: weights.stat().st_mtime_ns).parent)

    def run(self, line: str) -> None:
        """Run a line; what it says that it has written is there."""
        line += "".join(f" {words}" for pattern, words in ADDED.items() if re.search(pattern, line))
        words = shlex.split(line)
        assert words[0] == "imgen", f"who can run this? {line}"
        self.prepare(line, words)
        said = self.cli(*words[1:])
        assert said.status == 0, f"{line}\n{said.err}"
        if " ".join(words[1:]).startswith(WRITE) and "--help" not in words and "--dry-run" not in words:
            told = said.out.splitlines()
            assert told, f"{line}: says nothing of what it wrote"
            lacking = [path for path in told if not (self.folder / path).exists()]
            assert not lacking, f"{line}: says that it wrote {lacking}"
        named = [words[place + 1] for place, word in enumerate(words) if word in ("--out", "--plot", "--best-link")]
        assert all((self.folder / path).exists() for path in named), f"{line}: {named} is not there"


@pytest.fixture
def stage(here, kept, small_recipes, cli, hub) -> Stage:
    """A stage with small recipes, and a Hub where `user` may publish."""
    hub.tokens = dict.fromkeys(hub.tokens, ("user", True))
    return Stage(here, kept, cli)


def lines_of(page: Path) -> list[tuple[str, str]]:
    """Where each command of a page stands, and the command."""
    return [(block.where, line) for block in blocks(page) if block.language in ("", "sh") for line in commands(block)]


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page != CONTRIBUTING],
    ids=lambda page: "readme" if page == README else page.parent.name,
)
def test_the_commands_of_a_page_do_what_it_says(page, stage):
    lines = lines_of(page)
    gone = set(NOT_RUN.get(page, {})) - {line for _, line in lines}
    assert not gone, f"these are no longer in {page.relative_to(ROOT)}, so they need no reason: {gone}"
    assert len(lines) > 5
    for where, line in lines:
        if line not in NOT_RUN.get(page, {}):
            try:
                stage.run(line)
            except AssertionError as error:
                raise AssertionError(f"{where}: {error}") from None
