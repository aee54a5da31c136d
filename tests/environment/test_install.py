"""`imgen install` and `imgen uninstall` with a real pip, in an environment of their own and without a network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

LEAVES = "import os\nos._exit(7)"


def names(ran) -> dict[str, str]:
    """Names and versions of the plugins that are listed."""
    return {each["name"]: each["version"] for each in json.loads(ran.out) if each["package"] != "imgen"}


def test_a_plugin_comes_changes_and_goes(run, plugin_wheel):
    plugin_wheel("dots")
    came = run("install", "imgen-dots")
    assert (came.status, came.out) == (0, ""), came.err
    assert came.lines[-1] == "plugin 'dots' (imgen-dots 1.0) is here; `imgen info dots` tells about it"
    assert "Successfully installed imgen-dots-1.0" in came.err, "pip is heard"
    listed = run("plugins", "--json")
    (told,) = [each for each in json.loads(listed.out) if each["name"] == "dots"]
    assert (told["state"], told["hooks"]) == ("loaded", ["register_losses"])
    plugin_wheel("dots", version="1.1")
    newer = run("install", "-U", "imgen-dots", "--json")
    (change,) = json.loads(newer.out)["changes"]
    assert change == {"name": "dots", "package": "imgen-dots", "version": "1.1", "was": "1.0", "problem": ""}
    gone = run("uninstall", "-y", "dots")
    assert (gone.status, gone.lines[-1]) == (0, "plugin 'dots' (imgen-dots 1.1) is gone")
    assert "dots" not in names(run("plugins", "--no-load", "--json"))


def test_a_plugin_that_ends_the_process_on_import_leaves_what_mends_it_working(run, plugin_wheel):
    plugin_wheel("leaver", LEAVES)
    came = run("install", "imgen-leaver")
    assert came.status == 0
    assert came.lines[-1] == (
        "imgen: warning: plugin 'leaver' (imgen-leaver 1.0) is installed and does not work: "
        "ends the process with status 7"
    )
    assert run("recipes").status == 7, "whatever imports it ends"
    for argv in (["--version"], ["plugins", "--no-load"], ["plugins", "--requirements"], ["install", "--help"]):
        ran = run(*argv)
        assert (ran.status, ran.err) == (0, ""), argv
    assert names(run("plugins", "--no-load", "--json")) == {"leaver": "1.0"}
    assert "imgen-leaver==1.0" in run("plugins", "--requirements").out
    gone = run("uninstall", "-y", "imgen_leaver")
    assert (gone.status, gone.lines[-1]) == (0, "plugin 'leaver' (imgen-leaver 1.0) is gone")


def test_torch_is_not_exchanged(run, environment, plugin_wheel, write_wheel):
    write_wheel("torch", "1.0")
    plugin_wheel("elder", requires=("torch<2",))
    ran = run("install", "imgen-elder")
    assert ran.status == 1
    last = ran.lines[-1]
    assert last.startswith("imgen: pip failed: ") and "imgen-elder 1.0 depends on torch<2" in last
    assert "torch==" in last and "stays as it is" in last
    assert "elder" not in names(run("plugins", "--no-load", "--json"))
    assert not list(environment.prefix.glob("lib/python*/site-packages/torch*"))


def test_a_package_without_a_plugin_is_told(run, write_wheel):
    write_wheel("merely-useful")
    ran = run("install", "merely-useful")
    assert ran.status == 0
    assert ran.lines[-1].startswith("imgen: warning: 'merely-useful' brings no plugin of imgen")
    ran = run("uninstall", "-y", "merely-useful")
    assert (ran.status, ran.lines) == (
        2,
        ["imgen: 'merely-useful' brings no plugin of imgen, so it is left alone; see `imgen plugins`"],
    )


def test_what_pip_cannot_find_is_one_line_after_its_own(run):
    ran = run("install", "imgen-no-such-thing")
    assert (ran.status, ran.out) == (1, "")
    assert ran.lines[-1].startswith("imgen: pip failed: Could not find a version that satisfies the requirement")
    assert "Traceback" not in ran.err


BACKEND = """\
import os, zipfile

FILES = {
    "stripes.pth": os.getcwd(),
    "imgen_stripes-0.3.dist-info/METADATA": "Metadata-Version: 2.1\\nName: imgen-stripes\\nVersion: 0.3\\n",
    "imgen_stripes-0.3.dist-info/WHEEL": "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
    "imgen_stripes-0.3.dist-info/entry_points.txt": "[imgen]\\nstripes = imgen_stripes\\n",
}

def build_editable(folder, config_settings=None, metadata_directory=None):
    name = "imgen_stripes-0.3-py3-none-any.whl"
    record = "imgen_stripes-0.3.dist-info/RECORD"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as wheel:
        for path, text in FILES.items():
            wheel.writestr(path, text)
        wheel.writestr(record, "".join(f"{path},,\\n" for path in [*FILES, record]))
    return name
"""


@pytest.fixture
def project(tmp_path, source_of) -> Path:
    """A plugin's folder, as its author has it, below one with a blank in its name; it builds itself, and quickly."""
    folder = tmp_path / "my work" / "stripes"
    folder.mkdir(parents=True)
    (folder / "imgen_stripes.py").write_text(source_of("imgen_stripes", "stripes"))
    (folder / "backend.py").write_text(BACKEND)
    (folder / "pyproject.toml").write_text(
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    return folder


def test_a_folder_is_installed_for_editing_and_carried_by_its_requirement(run, project, plugin_wheel, tmp_path):
    came = run("install", "-e", project)
    assert came.status == 0, came.err
    assert came.lines[-1].startswith("plugin 'stripes' (imgen-stripes 0.3) is here")
    said = run("plugins", "--requirements")
    assert said.out == f"-e {project.as_uri()}\n"
    assert said.lines == ["imgen-stripes is installed from a folder or file of this machine"]
    (told,) = json.loads(run("plugins", "--requirements", "--json").out)
    assert (told["name"], told["requirement"]) == ("stripes", said.out.strip())
    plugin_wheel("rings")
    (tmp_path / "plugins.txt").write_text(f"{said.out}imgen-rings==1.0\n")
    assert run("uninstall", "-y", "stripes").status == 0
    back = run("install", "-r", "plugins.txt")
    assert back.status == 0, back.err
    assert names(run("plugins", "--no-load", "--json")) == {"rings": "1.0", "stripes": "0.3"}
    words = run("install", "--dry-run", *said.out.split())
    assert words.out.endswith(f" -m pip install -e {project.as_uri()}\n"), "as words of a command it is the same"
    told = json.loads(run("uninstall", "stripes", "--dry-run", "--json").out)
    assert told["commands"][0][1:] == ["-m", "pip", "uninstall", "--yes", "imgen-stripes"]
    gone = run("uninstall", "-y", "stripes", "rings", "--json")
    assert [each["name"] for each in json.loads(gone.out)["changes"]] == ["rings", "stripes"]
