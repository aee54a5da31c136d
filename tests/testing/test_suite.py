"""The contracts as a plugin of pytest, as a stranger's test run sees it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from imgen import plugins as loading
from imgen.testing import contracts, promises

GAME = '''
"""A plugin of one small game."""
import torch
from torch import nn
from imgen import Algorithm, DataSpec, Player, adam, turn
from imgen.binding import Count
from imgen.losses.adversarial import AdversarialLoss


class Pictures(nn.Module):
    """Makes pictures.

    Settings:
        width: of nothing in particular
    """

    def __init__(self, data: DataSpec, *, width: Count = 64) -> None:
        super().__init__()
        assert width == 2, "settings of the test must arrive"
        self.image, self.codes = data.image, {"latent": width}
        channels, height, across = data.image
        self.layer = nn.Linear(width, channels * height * across)

    def draw(self, code, n, generator=None):
        device = generator.device if generator else self.layer.weight.device
        return torch.randn(n, self.codes[code], generator=generator, device=device)

    def forward(self, z):
        return self.layer(z).tanh().view(-1, *self.image)


class Game(Algorithm):
    """A game.

    Settings:
        width: of nothing in particular
    """

    ships, expects = "small", {"images": "B C H W"}

    def __init__(self, data: DataSpec, *, width: Count = 64) -> None:
        super().__init__()
        self.model = Pictures(data, width=width)

    def players(self):
        return {"g": Player([self.model], adam(0.01))}

    def turns(self, step):
        return [self.forge]

    @turn("g")
    def forge(self, batch):
        made = self.model(self.model.draw("latent", len(batch["images"])))
        loss = (made - batch["images"]).square().mean()
        return {"g": loss if loss > 0 else -loss}, {}  # WAITS

    def preview(self, batch):
        return self.model(self.model.draw("latent", 4)).unflatten(0, (2, 2))


def cut_off() -> AdversarialLoss:
    """A loss that moves nobody."""
    return AdversarialLoss(d=lambda real, fake: (fake - real).mean().detach(), g=lambda fake: -fake.mean())


def files(*, root: str) -> object:
    """Pictures of a folder.

    Settings:
        root: where they are
    """
    raise OSError(root)


'''

HOOKS = '''
"""What the plugin of one small game registers."""
from imgen import hookimpl


@hookimpl
def register_algorithms(register):
    register("imgen_mine_game:Game", name="small")


@hookimpl
def register_models(register):
    register("imgen_mine_game:Pictures", name="small")


@hookimpl
def register_losses(register):
    register("imgen_mine_game:cut_off", name="cut-off")


@hookimpl
def register_datasets(register):
    register("imgen_mine_game:files", name="of-files")
'''


@pytest.fixture
def stranger(pytester, monkeypatch):
    """A folder in which the plugin `mine` is installed, as packages are, and which pytest is run in."""
    pytester.makepyfile(imgen_mine=HOOKS, imgen_mine_game=GAME)
    site = pytester.mkdir("imgen_mine-1.0.dist-info")
    (site / "METADATA").write_text("Metadata-Version: 2.1\nName: imgen-mine\nVersion: 1.0\n")
    (site / "entry_points.txt").write_text("[imgen]\nmine = imgen_mine\nbroken = imgen_absent\n")
    monkeypatch.setenv("PYTHONPATH", str(pytester.path))
    monkeypatch.delenv("PYTEST_ADDOPTS", raising=False)
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    return pytester


def test_every_contract_is_a_test_and_a_broken_one_is_told_in_a_line(stranger):
    stranger.makepyprojecttoml(
        '[tool.pytest.ini_options]\nimgen_plugins = ["mine"]\nimgen_settings = ["small.width=2"]\n'
        'addopts = "--import-mode=importlib"\n'
    )
    # In a process of xdist's, as in most test runs.
    done = stranger.runpytest_subprocess("-v", "-rs", "-n", "1")
    done.assert_outcomes(passed=18, failed=2, skipped=3)
    line = 1 + next(
        place
        for place, text in enumerate(stranger.path.joinpath("imgen_mine_game.py").read_text().split("\n"))
        if "WAITS" in text
    )
    done.stdout.fnmatch_lines(
        [
            "*1 worker [[]23 items[]]*",
            "*FAILED imgen::mine::algorithm small::turns do not wait for the host*",
            "*PASSED imgen::mine::model small::its weights file gives it back*",
            f"turn 'forge' must not wait for the device, but 'imgen_mine_game.py:{line}: *reads a value on the host*",
            "d(real, fake) is cut off from its scores*",
            "SKIPPED*data*of-files*needs 'root'*--imgen-set of-files.root=VALUE*",
        ]
    )
    assert not any(word in done.stdout.str() for word in ("Traceback", "  at ", "imgen/testing/algorithms"))
    # Who names a file wants that file; and contracts are chosen among as tests are.
    stranger.makepyfile(test_other="def test_it(): pass")
    stranger.runpytest_subprocess("test_other.py", "-n", "0").assert_outcomes(passed=1)
    done = stranger.runpytest_subprocess("-k", "test_it or (small and sheets)", "-n", "0", "--collect-only")
    done.stdout.fnmatch_lines(["collected 24 items / 22 deselected / 2 selected", "*previews are sheets of pictures*"])


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--imgen-plugin", "mime"], "no plugin is called 'mime'; did you mean 'mine'?*"),
        (["--imgen-plugin", "broken"], "plugin 'broken' is broken: it *imgen_absent*"),
        (["--imgen-plugin", "mine", "--imgen-set", "width"], "'width' is no setting; write [[]THING.[]]SETTING=VALUE"),
    ],
)
def test_wrong_requests_are_one_line(stranger, options, told):
    done = stranger.runpytest_subprocess(*options, "-n", "0")
    assert done.ret == pytest.ExitCode.USAGE_ERROR
    done.stderr.fnmatch_lines([f"ERROR: imgen: {told}"])


@pytest.fixture
def mine(tmp_path, monkeypatch):
    """The plugin `mine` in this process."""
    (tmp_path / "imgen_mine_here.py").write_text(HOOKS)
    (tmp_path / "imgen_mine_game.py").write_text(GAME)
    monkeypatch.syspath_prepend(tmp_path)
    found = loading.load([EntryPoint("mine", "imgen_mine_here", "imgen")])
    monkeypatch.setattr("imgen.plugins.installed", lambda: found)
    monkeypatch.setattr("imgen.testing.promises.installed", lambda: found)
    monkeypatch.setattr("imgen.testing.subjects.installed", lambda: found)
    promises._SUBJECTS.clear()
    yield found
    promises._SUBJECTS.clear()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"widht": 2}, "has no setting 'widht'; did you mean 'width'?"),
        ({"small.widht": 2}, "small has no setting 'widht'; did you mean 'width'?"),
        ({"smal": {"width": 2}}, "'smal', which is none of the plugin's; did you mean 'small'?"),
        ({"width": 0}, "width must be a whole number >= 1"),
    ],
)
def test_settings_that_nobody_has_are_told(mine, settings, told):
    explained, ships, *_ = promises.cases("mine", settings)
    with pytest.raises(AssertionError) as failed:
        explained.keep()
        ships.keep()
    assert told in str(failed.value)


def test_contracts_in_a_file_are_tests_of_their_own(mine):
    test = contracts("mine", settings={"small": {"width": 2}})
    (mark,) = test.pytestmark
    several = {str(case): case for case in mark.args[1]}
    test(several["model small::it does what its protocols promise"])
    with pytest.raises(pytest.fail.Exception, match=r"imgen_mine_game.py:\d+: .*reads a value"):
        test(several["algorithm small::turns do not wait for the host"])
    with pytest.raises(pytest.skip.Exception, match="needs 'root'"):
        test(several["dataset of-files::threads fetch the same rows"])


def test_it_costs_nothing_where_it_is_not_asked_for():
    code = "import sys, imgen.testing.suite; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"torch", "numpy", "pydantic", "click", "PIL"} & set(done.stdout.split())
