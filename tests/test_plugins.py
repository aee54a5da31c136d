"""Whatever a plugin does, it is reported by name in one line and everything else works."""

from __future__ import annotations

import json

import pytest

from imgen.plugins import KINDS, load

GOOD = """\
from imgen.hookspecs import hookimpl

@hookimpl
def register_datasets(register):
    register("stranger_good:dots", name="dots")

def dots(*, size: int = 8):
    '''Dots on white.'''
"""


def hook(name: str, body: str, argument: str = "register") -> str:
    return f"from imgen.hookspecs import hookimpl\n\n@hookimpl\ndef {name}({argument}):\n    {body}\n"


BROKEN = {
    "no-import": ("import no_such_module_at_all", "ModuleNotFoundError: No module named 'no_such_module_at_all'"),
    "syntax": ("def f(:", "SyntaxError"),
    "leaves": ("raise SystemExit(3)", "SystemExit: 3"),
    "raises": ("raise ValueError('two\\nlines')", "ValueError: two lines"),
    "misspelt": (
        hook("register_algorithm", "pass"),
        "no hook 'register_algorithm'; did you mean 'register_algorithms'",
    ),
    "argument": (hook("register_datasets", "pass", "registry"), "register_datasets"),
    "hookless": ("x = 1", "it has no hooks; mark its functions with @hookimpl"),
    "unmarked": ("def register_datasets(register): pass", "it has no hooks; mark its functions with @hookimpl"),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_plugin_is_reported_and_the_others_work(fault, write_plugin):
    source, says = BROKEN[fault]
    loaded = load([write_plugin(fault, source, version="2.5"), write_plugin("good", GOOD)])
    (line,) = loaded.problems
    assert line.startswith(f"plugin '{fault}' (stranger-{fault} 2.5) was not loaded: ")
    assert says in line and "\n" not in line
    states = {info.name: info.state for info in loaded.infos}
    assert states == {"imgen": "loaded", fault: "broken", "good": "loaded"}
    for kind in KINDS:
        loaded.registry(kind)
    assert loaded.registry("datasets").get("dots").plugin == "good"
    assert "shapes" in loaded.registry("datasets")
    assert loaded.problems == [line]


@pytest.mark.parametrize(
    ("source", "says"),
    [
        (hook("register_datasets", "1 / 0"), "fails in register_datasets: ZeroDivisionError"),
        (hook("register_datasets", "raise SystemExit(2)"), "fails in register_datasets: SystemExit"),
        (hook("register_datasets", "register(print, name='Bad Name')"), "not a name in kebab-case"),
        (
            hook("register_datasets", "register(print, name='shapes')"),
            "'shapes' among the datasets, but plugin 'imgen'",
        ),
        (hook("register_datasets", "register(print, name=3)"), "register_datasets"),
        (hook("register_datasets", "register(print)"), "register_datasets: TypeError: register() missing 1 required"),
    ],
)
def test_a_hook_that_fails_is_reported_when_it_runs(source, says, write_plugin):
    loaded = load([write_plugin("bad", source), write_plugin("good", GOOD)])
    assert not loaded.problems, "registering hooks run when they are needed"
    told: list[str] = []
    loaded.report = told.append
    names = {entry.name for entry in loaded.registry("datasets")}
    assert {"shapes", "images", "identities", "dots"} <= names
    (line,) = told
    assert "'bad'" in line and says in line
    assert loaded.registry("datasets") is loaded.registry("datasets")
    assert len(told) == 1, "told once"


def test_a_fault_is_told_with_its_line(write_plugin):
    write_plugin("late", GOOD + "\n\n1 / 0\n")
    line = (write_plugin.home / "stranger_late.py").read_text().splitlines().index("1 / 0") + 1
    loaded = load([write_plugin("late", GOOD + "\n\n1 / 0\n"), write_plugin("bad", hook("register_losses", "{}[3]"))])
    assert loaded.problems[-1].endswith(
        f"ZeroDivisionError: division by zero ({write_plugin.home}/stranger_late.py:{line})"
    )
    loaded.registry("losses")
    assert f"KeyError: 3 ({write_plugin.home}/stranger_bad.py:" in loaded.problems[-1]
    torn = load([write_plugin("torn", "def f(:\n")])
    assert torn.problems[0].endswith(f"({write_plugin.home}/stranger_torn.py:1)")


def test_a_hook_that_lost_its_mark_is_told(write_plugin):
    unmarked = "\n\ndef register_losses(register):\n    register(print, name='lost')\n"
    loaded = load([write_plugin("half", GOOD + unmarked)])
    assert loaded.problems == [
        "plugin 'half': nothing calls its register_losses, which is not marked; put @hookimpl above it"
    ]
    assert {info.name: info.state for info in loaded.infos}["half"] == "loaded"


def test_what_a_failing_hook_registered_before_it_failed_stays(write_plugin):
    loaded = load([write_plugin("bad", hook("register_datasets", "register(print, name='one'); 1 / 0"))])
    assert "one" in loaded.registry("datasets")


def test_a_factory_that_cannot_be_imported_hurts_only_who_uses_it(write_plugin, plugins):
    loaded = load([write_plugin("late", hook("register_datasets", "register('no_such_thing:x', name='late')"))])
    assert [entry.summary for entry in loaded.registry("datasets") if entry.name == "late"] == [""]
    assert loaded.registry("datasets").get("shapes").load()


def test_the_first_of_two_plugins_keeps_a_name(write_plugin):
    points = [write_plugin(name, hook("register_losses", "register(print, name='mine')")) for name in ("zeta", "alpha")]
    loaded = load(points)
    assert loaded.registry("losses").get("mine").plugin == "alpha", "in the order of their names"
    (line,) = loaded.problems
    assert "'zeta'" in line and "'alpha'" in line


def test_two_packages_with_one_plugin_name(write_plugin):
    first = write_plugin("same", GOOD, package="first-package")
    second = write_plugin("same", GOOD, package="second-package")
    loaded = load([first, second])
    assert len([info for info in loaded.infos if info.name == "same"]) == 1
    # The same module twice is a checkout beside an installed copy, no conflict.
    assert loaded.problems == []


@pytest.mark.parametrize(
    ("choice", "works"),
    [
        (None, {"a", "b"}),
        ("", set()),
        ("a", {"a"}),
        ("a,b", {"a", "b"}),
        (" a , ", {"a"}),
        ("-a", {"b"}),
        ("-a,-b", set()),
        ("a,-a", set()),
    ],
)
def test_the_environment_chooses(choice, works, write_plugin):
    points = [
        write_plugin("a", hook("register_losses", "register(print, name='a')")),
        write_plugin("b", hook("register_losses", "register(print, name='b')")),
    ]
    loaded = load(points, choice)
    assert {entry.name for entry in loaded.registry("losses")} & {"a", "b"} == works
    states = {info.name: info.state for info in loaded.infos if info.name != "imgen"}
    assert states == {name: "loaded" if name in works else "silenced" for name in ("a", "b")}
    assert not loaded.problems
    assert "hinge" in loaded.registry("losses"), "the core is always there"


def test_a_silenced_plugin_is_not_even_imported(write_plugin):
    assert load([write_plugin("bad", "raise ValueError")], "-bad").problems == []


def test_a_choice_of_what_is_not_there_is_reported(write_plugin):
    (line,) = load([write_plugin("sparkle", GOOD)], "sprakle").problems
    assert line == "IMGEN_PLUGINS names the plugin 'sprakle', which is not installed; did you mean 'sparkle'?"


def test_owner_names_package_and_version(write_plugin):
    loaded = load([write_plugin("good", GOOD, package="some-package", version="3.1")])
    assert loaded.owner("good") == "good (some-package 3.1)"


COMMAND = """\
import click
from imgen.hookspecs import hookimpl

@hookimpl
def register_commands(cli):
    @click.command()
    def {name}():
        "Says hello."
        click.echo("hello")
    cli.add_command({name})
"""


@pytest.fixture
def with_plugins(write_plugin, real_cli):
    """The command line in a process that has these plugins installed: `with_plugins({name: source}, "plugins")`."""

    def run(sources: dict[str, str], *argv: str, **env: str):
        for name, source in sources.items():
            write_plugin(name, source)
        return real_cli(*argv, PYTHONPATH=str(write_plugin.home), **env)

    return run


def test_a_plugin_adds_a_command_and_none_takes_one_that_is_taken(with_plugins):
    sources = {"adds": COMMAND.format(name="hello"), "takes": COMMAND.format(name="train")}
    said = with_plugins(sources, "hello")
    assert (said.status, said.out) == (0, "hello\n")
    assert said.lines == ["imgen: warning: plugin 'takes' adds the command 'train', but that name is taken"]


def test_commands_of_one_plugin_do_not_hide_those_of_another(with_plugins):
    said = with_plugins({"one": COMMAND.format(name="hello"), "two": COMMAND.format(name="hello")}, "hello")
    assert said.out == "hello\n"
    assert said.lines == ["imgen: warning: plugin 'two' adds the command 'hello', but that name is taken"]


def test_the_whole_program_works_beside_broken_plugins(with_plugins):
    """And `imgen plugins` shows who is broken, and why."""
    sources = {name: source for name, (source, _) in BROKEN.items()} | {
        "good": GOOD,
        "fails": hook("register_commands", "1 / 0", "cli"),
        "late": hook("register_metrics", "1 / 0"),
    }
    said = with_plugins(sources, "plugins", "--json")
    assert said.status == 0
    assert "Traceback" not in said.err
    assert len(said.lines) == len(sources) - 1
    told = {info["name"]: info for info in json.loads(said.out)}
    assert {name for name, info in told.items() if info["state"] == "broken"} == set(sources) - {"good"}
    assert all(bool(info["problem"]) == (info["state"] == "broken") for info in told.values())
    assert told["good"]["hooks"] == ["register_datasets"]
    assert told["imgen"]["state"] == "loaded"


def test_the_variable_reaches_the_program(with_plugins):
    said = with_plugins({"bad": "1 / 0"}, "datasets", "--json", IMGEN_PLUGINS="")
    assert said.err == ""
    assert {entry["plugin"] for entry in json.loads(said.out)} == {"imgen"}


@pytest.mark.parametrize(
    ("wanted", "state", "way"),
    [
        (">=99", "needs newer imgen", "pip install -U 'imgen>=99'"),
        (">=99,<100", "needs newer imgen", "pip install -U 'imgen>=99,<100'"),
        ("~=99.1", "needs newer imgen", "pip install -U 'imgen~=99.1'"),
        ("==99.*", "needs newer imgen", "pip install -U 'imgen==99.*'"),
        ("<0.1", "needs older imgen", "imgen install -U stranger-far"),
        ("==0.0.1", "needs older imgen", "imgen install -U stranger-far"),
    ],
)
def test_a_plugin_of_another_imgen_is_not_loaded(wanted, state, way, write_plugin):
    from imgen import __version__

    point = write_plugin("far", "raise AssertionError", requires=[f"imgen{wanted}"])
    loaded = load([point, write_plugin("good", GOOD)])
    (line,) = loaded.problems
    needs = f"it needs imgen{wanted}, and this is imgen {__version__}: {way}"
    assert line == f"plugin 'far' (stranger-far 1.0) was not loaded: {needs}"
    assert {info.name: info.state for info in loaded.infos} == {"imgen": "loaded", "far": state, "good": "loaded"}


@pytest.mark.parametrize(
    "requires",
    [
        ["imgen"],
        ["imgen>=0.1"],
        ["IMGEN (>=0.1)"],
        ["imgen[metrics]>=0.1,<99"],
        ["imgen>=99; extra == 'later'"],
        ["imgen>=99; python_version < '3'"],
        ["imgen-more>=99", "imgen.more>=99"],
        ["imgen @ https://example.org/imgen.whl"],
        ["imgen>=nonsense"],
    ],
)
def test_a_plugin_of_this_imgen_is_loaded(requires, write_plugin):
    assert load([write_plugin("good", GOOD, requires=requires)]).problems == []


def test_plugins_of_others_can_be_listed_without_an_import(write_plugin):
    points = [write_plugin("bad", "raise AssertionError"), write_plugin("far", "x", requires=["imgen>=99"])]
    loaded = load(points, strangers=False)
    assert {info.name: info.state for info in loaded.infos} == {
        "imgen": "loaded",
        "bad": "not loaded",
        "far": "needs newer imgen",
    }


def test_a_distribution_that_cannot_be_read_takes_no_other_along(write_plugin):
    from imgen.distributions import points

    write_plugin("good", GOOD)
    for name, content in (("stranger_torn", b"[imgen]\n\xff\xfe = x\n"), ("stranger_bare", b"[imgen]\nbare = bare\n")):
        info = write_plugin.home / f"{name}-1.0.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_bytes(content)
    found = {point.entry.name: point.package.version for point in points()}
    assert found["good"] == "1.0" and found["bare"] == "?", "the one without metadata is there, too"


ADDS = """\
import click
from imgen.hookspecs import hookimpl

@hookimpl
def register_commands(cli):
    cli.add_command(click.Command("{name}-command"))

@hookimpl
def register_losses(register):
    register("stranger_{name}:no_such_thing", name="{name}-loss")
"""


@pytest.mark.parametrize("argv", [["--help"], ["plugins"], ["plugins", "--no-load"], ["--version"]])
def test_ten_plugins_leave_the_start_light(argv, write_plugin, process):
    names = [f"ten{place}" for place in range(10)]
    for name in names:
        write_plugin(name, ADDS.format(name=name), requires=["imgen>=0.1", "torch>=2"])
    code = f"import sys, json\nfrom imgen.cli import main\nassert main({argv!r}) == 0\n"
    code += "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    running = process("-c", code, PYTHONPATH=str(write_plugin.home))
    out, err = running.communicate(timeout=60)
    assert (running.returncode, err) == (0, "")
    heavy = {"torch", "numpy", "huggingface_hub", "packaging", "pydantic", "PIL", "sklearn"}
    modules = set(json.loads(out.splitlines()[-1]))
    assert not heavy & modules
    assert {f"stranger_{name}" for name in names} <= modules or argv[-1] in ("--no-load", "--version")
    assert not {f"stranger_{name}" for name in names} & modules or argv[-1] in ("--help", "plugins")
    if argv[0] == "plugins":
        assert all(any(line.startswith(f"{name} ") for line in out.splitlines()) for name in names)
    if argv == ["--help"]:
        assert all(f"{name}-command" in out for name in names)


def test_a_name_that_two_packages_claim_is_the_first_ones(write_plugin):
    first = write_plugin("same", GOOD, package="first-package")
    second = write_plugin("same", GOOD, package="second-package")
    object.__setattr__(second, "value", "another_module")
    loaded = load([first, second])
    states = [(info.package, info.state) for info in loaded.infos if info.name == "same"]
    assert states == [("first-package", "loaded"), ("second-package", "broken")]
    assert loaded.problems == [
        "plugin 'same' (second-package 1.0) was not loaded: the plugin of first-package has that name"
    ]
    assert "shapes" in loaded.registry("datasets") and loaded.owner("same") == "same (first-package 1.0)"


def test_every_command_works_beside_what_breaks_is_too_new_or_claims_a_name(write_plugin, process, tiny):
    write_plugin("broken", "1 / 0")
    write_plugin("far", "1 / 0", requires=["imgen>=99"])
    write_plugin("claims", COMMAND.format(name="train") + GOOD.partition("\n")[2].replace("dots", "shapes"))
    write_plugin("sdgan", "1 / 0", package="another-sdgan")
    commands = [
        *(["--help"], ["recipes"], ["datasets"], ["plugins"], ["info", "shapes"], ["train", "tiny.yaml", "--dry-run"]),
        *(["doctor", "--help"], ["install", "--help"], ["uninstall", "--help"], ["sample", "--help"]),
        *(["plugins", "--requirements"], ["data", "--help"], ["train", "tiny.yaml", "--steps", "1"], ["runs"]),
    ]
    code = f"import json\nfrom imgen.cli import main\nprint(json.dumps([main(argv) for argv in {commands!r}]))"
    running = process("-c", code, PYTHONPATH=str(write_plugin.home))
    out, err = running.communicate(timeout=120)
    assert json.loads(out.splitlines()[-1]) == [0] * len(commands), err
    assert "Traceback" not in err
    for says in (
        "plugin 'broken' (stranger-broken 1.0) was not loaded: ZeroDivisionError",
        "plugin 'far' (stranger-far 1.0) was not loaded: it needs imgen>=99",
        "plugin 'claims' adds the command 'train', but that name is taken",
        "plugin 'claims' registers 'shapes' among the datasets, but plugin 'imgen' already has that name",
        "plugin 'sdgan' (another-sdgan 1.0) was not loaded: the plugin of imgen has that name",
    ):
        assert says in err
