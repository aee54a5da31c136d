"""The contracts as a plugin of pytest, as a stranger's test run sees it."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from imgen import plugins as loading
from imgen.errors import PluginError
from imgen.testing import contracts, promises, told

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
    done.assert_outcomes(passed=19, failed=2, skipped=3)
    line = 1 + next(
        place
        for place, text in enumerate(stranger.path.joinpath("imgen_mine_game.py").read_text().split("\n"))
        if "WAITS" in text
    )
    done.stdout.fnmatch_lines(
        [
            "*1 worker [[]24 items[]]*",
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
    done.stdout.fnmatch_lines(["collected 25 items / 23 deselected / 2 selected", "*previews are sheets of pictures*"])


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
        ({"widht": 2}, "the plugin has nothing with a setting 'widht'; did you mean 'width'?"),
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


def kept(case) -> str:
    """What a case says when it is put to the test."""
    with pytest.raises(AssertionError) as failed:
        case.keep()
    return promises.told(failed.value)


def test_an_error_of_the_author_is_told_in_a_line_with_its_place(mine, tmp_path, monkeypatch):
    source = GAME.replace("made - batch", "made - bitch").replace("unflatten(0, (2, 2))", "unflatten(0, (2, 3))")
    (tmp_path / "imgen_mine_game.py").write_text(source)
    monkeypatch.delitem(sys.modules, "imgen_mine_game", raising=False)
    several = {case.contract.check: case for case in promises.cases("mine", {"small.width": 2})}
    line = 1 + next(at for at, text in enumerate(source.split("\n")) if "bitch" in text)
    said = kept(several["algorithms:turns"]).split("\n")
    assert said[0] == "algorithm 'small': NameError: name 'bitch' is not defined"
    assert len(said) == 2 and f"imgen_mine_game.py:{line}: loss = (made" in said[1]
    assert "RuntimeError: unflatten" in kept(several["algorithms:preview"])
    monkeypatch.setenv("IMGEN_DEBUG", "1")
    with pytest.raises(NameError):
        several["algorithms:turns"].keep()


def test_no_line_of_python_itself_is_blamed(mine):
    several = {str(case): case for case in promises.cases("mine", {"small": {"width": 2}})}
    said = kept(several["loss cut-off::it gives finite scalars with gradients"])
    assert "is cut off" in said and "\n" not in said
    import functools

    class Odd:
        @functools.cached_property
        def value(self):
            with told.blamed("all"):
                raise ValueError("odd")

    with pytest.raises(AssertionError) as failed:
        _ = Odd().value
    assert "functools" not in told.line_of(failed.value) and "contextlib" not in told.line_of(failed.value)


def test_a_name_that_another_has_breaks_the_contracts_of_the_second(mine, tmp_path, monkeypatch):
    (tmp_path / "imgen_twin.py").write_text(HOOKS)
    points = [
        EntryPoint(name, module, "imgen") for name, module in (("mine", "imgen_mine_here"), ("twin", "imgen_twin"))
    ]
    found = loading.load(points)
    with pytest.raises(PluginError, match="plugin 'twin' registers 'small' among the algorithms, but plugin 'mine'"):
        promises.cases("twin", plugins=found)
    assert promises.cases("mine", plugins=found)
    with pytest.raises(pytest.Collector.CollectError, match="no plugin is called 'mime'; did you mean 'mine'"):
        contracts("mime")


def test_data_that_fit_for_no_reason_are_told_of_once(mine, tmp_path, monkeypatch):
    source = GAME.replace(
        "def __init__(self, data: DataSpec, *, width: Count = 64)", "def __init__(self, *, width: Count = 64)"
    )
    (tmp_path / "imgen_mine_game.py").write_text(source)
    monkeypatch.delitem(sys.modules, "imgen_mine_game", raising=False)
    several = {case.contract.check: case for case in promises.cases("mine", {"small.width": 2})}
    said = kept(several["algorithms:ships"])
    assert said.count("Game must take (data, *, settings): too many positional arguments") == 1


def test_it_costs_nothing_where_it_is_not_asked_for():
    code = "import sys, imgen.testing.suite; print(*{name.split('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert not {"torch", "numpy", "pydantic", "click", "PIL"} & set(done.stdout.split())
