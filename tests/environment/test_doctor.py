"""`imgen doctor`: what it finds, that each fault has its remedy, and that no secret and no plugin's code gets out."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import time
from pathlib import Path

import pytest

import imgen
from imgen import distributions
from imgen.environment import machine, probe, strangers, surroundings, versions
from imgen.environment.managers import manager
from imgen.errors import HubError
from imgen.hub import client

TOUCHES = "from pathlib import Path\nPath({file!r}).touch()\n"


@pytest.fixture
def quick(monkeypatch):
    """What the probe for devices finds, without torch; a test may change it."""
    cpu = {"device": "cpu", "name": "A processor", "cores": 8, "usable": 4, "threads": 4, "bf16": True}
    told = {
        **dict.fromkeys(("cuda", "hip", "cudnn"), ""),
        **dict.fromkeys(("available", "driver"), False),
        "torch": "2.13.0",
        "auto": "fp32",
        "device": "cpu",
        "devices": [{**cpu, "memory": 8_000_000_000, "failed": ""}],
    }
    asked = probe.ask
    monkeypatch.setattr(
        probe, "ask", lambda what, *words, **also: (told, "") if what == "devices" else asked(what, *words, **also)
    )
    return told


@pytest.fixture
def doctor(cli, quick):
    """Runs it and gives what it found: `doctor("--load")` is (status, {name: row})."""

    def run(*argv: str):
        said = cli("doctor", "--offline", "--json", *argv)
        told = json.loads(said.out)
        assert told["ok"] == (said.status == 0)
        assert {row["state"] for row in told["rows"]} <= {"ok", "warn", "broken"}
        assert all(row["remedy"] for row in told["rows"] if row["state"] != "ok")
        return said.status, {row["name"]: row for row in told["rows"]}

    return run


def test_all_in_one_process_of_its_own(real_cli):
    said = real_cli("doctor", "--offline")
    assert said.status == 0, said.out
    sections = [line for line in said.out.splitlines() if line.isupper()]
    assert sections[:4] == ["VERSIONS", "DEVICES", "PLUGINS", "FOLDERS"]
    rows = {line.split()[1]: line for line in said.out.splitlines() if line.startswith("  ") and "->" not in line}
    assert "computes" in rows["cpu"] and " cores" in rows["cpu"]
    assert "auto is fp32" in rows["precision"] or "auto is bf16" in rows["precision"]
    assert rows["sdgan"].split()[0] == "ok"
    assert said.lines[-1].endswith("to look at") or said.lines == ["all is well"]


def test_a_plugin_of_another_is_looked_at_and_not_imported(doctor, write_plugin, here):
    write_plugin("sly", TOUCHES.format(file=str(here / "imported")))
    status, rows = doctor()
    assert (status, rows["sly"]["state"]) == (0, "ok")
    assert "stranger-sly 1.0, module stranger_sly, not loaded here" in rows["sly"]["told"]
    assert not (here / "imported").exists()


GOOD = "from imgen.hookspecs import hookimpl\n\n@hookimpl\ndef register_losses(register):\n    {body}\n"


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("import os; os._exit(0)", "ends the process with status 0"),
        ("import os; os.kill(os.getpid(), 11)", "is killed by signal 11"),
        ("import time; time.sleep(60)", "does not come to an end: it was stopped after 2 seconds"),
        ("import no_such_module", "ModuleNotFoundError: No module named 'no_such_module'"),
        (GOOD.format(body="1 / 0"), "fails in register_losses: ZeroDivisionError"),
        (GOOD.format(body="register('stranger_bad:nothing', name='bad')"), "loss 'bad' cannot be imported from"),
    ],
)
def test_loading_names_each_that_does_not_work(source, says, write_plugin):
    write_plugin("bad", source)
    rows = {row.name: row for row in strangers.rows(manager(), True, 2 if "sleep" in source else 60)}
    assert rows["bad"].state == "broken" and says in rows["bad"].told
    assert rows["bad"].remedy == "mend it, silence it, or take it away: imgen uninstall bad"


def test_loading_one_that_works(doctor, write_plugin):
    write_plugin("good", GOOD.format(body="register(print, name='good')"))
    status, rows = doctor("--load", "--limit", "50")
    assert (status, rows["good"]["state"]) == (0, "ok") and rows["good"]["told"].endswith(", loads")


def test_broken_pieces_are_found_without_loading(doctor, write_plugin, monkeypatch):
    write_plugin("lost", "")
    (write_plugin.home / "stranger_lost.py").unlink()
    write_plugin("inner", "")
    points = write_plugin.home / "stranger_inner-1.0.dist-info/entry_points.txt"
    points.write_text("[imgen]\ninner = stranger_inner.deeper:hooks\n")
    write_plugin("odd", "")
    (write_plugin.home / "stranger_odd-1.0.dist-info/entry_points.txt").write_text("[imgen]\nodd = not a module\n")
    write_plugin("far", "", requires=["imgen>=99"])
    write_plugin("needy", "", requires=["imgen", "no-such-package>=2", "click>=999", "missing; extra == 'x'"])
    write_plugin("twice", "")
    write_plugin("twice", "", package="other-twice")
    (write_plugin.home / "other_twice-1.0.dist-info/entry_points.txt").write_text("[imgen]\ntwice = stranger_lost\n")
    monkeypatch.setenv("IMGEN_PLUGINS", "-absent")
    status, rows = doctor()
    assert status == 1
    told = {name: (row["told"].partition(": ")[2], row["remedy"]) for name, row in rows.items()}
    assert told["lost"] == (
        "there is no module 'stranger_lost'",
        "install stranger-lost again, or take it away: imgen uninstall lost",
    )
    assert told["inner"][0] == "there is no module 'stranger_inner.deeper'"
    assert told["odd"][0] == "'not a module' names no module"
    assert told["far"][0].startswith("needs imgen>=99, and this is imgen ")
    assert told["far"][1].endswith(" -m pip install -U 'imgen>=99'")
    assert "no-such-package>=2 (not installed), click>=999 (" in told["needy"][0]
    assert told["needy"][1].endswith(" -m pip install 'no-such-package>=2' 'click>=999'")
    assert rows["absent"]["state"] == "warn"
    contested = [row for row in strangers.rows(manager(), False, 1) if "two plugins have this name" in row.told]
    assert [(row.name, row.state, row.remedy) for row in contested] == [
        ("twice", "broken", "take one away: imgen uninstall stranger-twice")
    ]
    assert "other-twice and stranger-twice" in contested[0].told


def packages(monkeypatch, **told):
    """Let imgen's own metadata say something else."""
    asked = distributions.packages
    changed = dataclasses.replace(asked("imgen")[0], **told)
    monkeypatch.setattr(distributions, "packages", lambda name: [changed] if name == "imgen" else asked(name))


def test_metadata_that_cannot_be_read(doctor, cli, write_plugin):
    write_plugin("good", GOOD.format(body="pass"))
    for name, content in (("torn", b"[imgen]\n\xff = x\n"), ("bare", b"[imgen]\nbare = stranger_good\n")):
        (write_plugin.home / f"{name}-1.0.dist-info").mkdir()
        (write_plugin.home / f"{name}-1.0.dist-info/entry_points.txt").write_bytes(content)
    found = [row for row in strangers.rows(manager(), False, 1) if row.name == "unreadable"]
    assert {row.state for row in found} == {"broken"}
    told = sorted(row.told.removeprefix(f"{write_plugin.home}/") for row in found)
    assert told[0] == "bare-1.0.dist-info: its metadata is gone"
    assert told[1].startswith("torn-1.0.dist-info: 'utf-8' codec can't decode byte 0xff")
    assert doctor()[0] == 1
    said = cli("plugins", "--requirements")
    assert (said.status, said.out) == (0, "stranger-good==1.0\n")
    assert said.lines == ["imgen: warning: plugin 'bare' is left out: its metadata is gone; see `imgen doctor`"]


def test_versions_that_do_not_fit(monkeypatch):
    packages(
        monkeypatch,
        version="0.0.1",
        python=">=4",
        requires=(
            *("click>=999", "no-such-package>=1", "pluggy", "numpy>=999; extra == 'metrics'"),
            *("absent; extra == 'sweep'", "absent; extra == 'dev'"),
        ),
        extras=("metrics", "sweep", "dev"),
    )
    rows = {row.name: row for row in versions.rows(manager())}
    assert rows["python"].state == "broken" and "needs Python >=4" in rows["python"].remedy
    assert rows["imgen"].state == "broken" and "but what is installed says 0.0.1" in rows["imgen"].told
    assert rows["click"].state == "broken" and rows["click"].told.endswith("and imgen needs click>=999")
    assert rows["click"].remedy.endswith(" -m pip install 'click>=999'")
    assert rows["no-such-package"].told.startswith("not installed")
    assert rows["pluggy"].state == "ok"
    assert rows["imgen[metrics]"].state == "warn" and "numpy>=999 (here is " in rows["imgen[metrics]"].told
    assert rows["imgen[sweep]"].state == "ok" and rows["imgen[sweep]"].told.endswith(" -m pip install 'imgen[sweep]'")
    assert "imgen[dev]" not in rows


def test_an_imgen_that_is_not_installed(monkeypatch):
    monkeypatch.setattr(distributions, "packages", lambda name: [])
    rows = {row.name: row for row in versions.rows(manager())}
    assert rows["imgen"].state == "broken" and "it is not installed" in rows["imgen"].told


def test_a_second_copy_of_imgen(tmp_path, monkeypatch):
    for place in ("one", "two"):
        info = tmp_path / place / "imgen-0.0.9.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: imgen\nVersion: 0.0.9\n")
        monkeypatch.syspath_prepend(str(tmp_path / place))
    rows = {row.name: row for row in versions.rows(manager())}
    assert rows["copies of imgen"].state == "warn" and str(tmp_path / "one") in rows["copies of imgen"].told


@pytest.mark.parametrize(
    ("change", "state", "says"),
    [
        ({"driver": True}, "warn", "though there is an NVIDIA driver"),
        ({"driver": True, "cuda": "13.0"}, "broken", "it finds no GPU"),
        ({"driver": True, "cuda": "13.0", "available": True}, "ok", "built for CUDA 13.0"),
    ],
)
def test_builds_of_torch(change, state, says, quick, monkeypatch):
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    quick.update(change)
    build = next(machine.rows())
    assert build.state == state and says in build.told
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert next(machine.rows()).state == "ok", "who hides a GPU knows why there is none"


def test_devices(quick):
    gpu = {"device": "cuda:0", "name": "A card", "capability": "9.0", "bf16": True, "tf32": True}
    gpu |= {"memory": 80_000_000_000, "free": 60_000_000_000, "failed": ""}
    quick["devices"] = [gpu, {**gpu, "device": "cuda:1", "failed": "no kernel image is available"}]
    quick |= {"auto": "bf16", "device": "cuda"}
    rows = {row.name: row for row in machine.rows()}
    assert rows["cuda:0"].told == (
        "A card, compute capability 9.0, 60.0 GB of 80.0 GB memory free, bf16 and tf32, computes"
    )
    assert rows["cuda:1"].state == "broken" and "no kernel image" in rows["cuda:1"].told
    assert rows["precision"].told == "auto is bf16: the GPU has it"


def test_a_torch_that_cannot_be_imported(write_plugin, monkeypatch):
    (write_plugin.home / "torch.py").write_text("raise ImportError('libcudart.so.13: cannot open')")
    (row,) = machine.rows()
    assert (row.name, row.state) == ("torch", "broken") and "libcudart.so.13: cannot open" in row.told


def test_folders(here, monkeypatch):
    (here / "file").touch()
    monkeypatch.setenv("IMGEN_CACHE", str(here / "file/cache"))
    monkeypatch.setenv("HF_HOME", str(here / "deep/er"))
    rows = {row.name: row for row in surroundings.folders()}
    assert rows["runs"].state == "ok" and "free" in rows["runs"].told
    assert rows["cache"].state == "broken" and rows["cache"].remedy == "name another folder in IMGEN_CACHE"
    assert rows["cache of the Hub"].told.startswith(str(here / "deep/er/hub"))
    assert [path.name for path in here.iterdir()] == ["file"], "nothing is left behind"
    usage = surroundings.shutil.disk_usage(here)
    for free, state in ((1e9, "warn"), (1e6, "broken")):
        monkeypatch.setattr(surroundings.shutil, "disk_usage", lambda path, free=free: usage._replace(free=int(free)))
        assert next(surroundings.folders()).state == state


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written(here):
    here.chmod(0o500)
    row = next(surroundings.folders())
    assert row.state == "broken" and "cannot be written" in row.told


def test_variables_without_their_secrets(monkeypatch):
    secret = "hf_" + "s" * 30
    for name in ("HF_TOKEN", "HF_SOME_KEY", "IMGEN_TOKEN"):
        monkeypatch.setenv(name, secret)
    monkeypatch.setenv("HF_ENDPOINT", f"https://me:{secret}@example.org/hub")
    monkeypatch.setenv("HTTPS_PROXY", f"http://{secret}@proxy:80")
    monkeypatch.setenv("PIP_INDEX_URL", f"https://{secret}@a.org/simple https://b:{secret}@b.org/\x1b[31m")
    monkeypatch.setenv("IMGEN_PLUGIN", "x")
    monkeypatch.setenv("UNRELATED", "x")
    rows = {row.name: row for row in surroundings.variables()}
    assert not [row for row in rows.values() if secret in row.told + row.remedy or "\x1b" in row.told]
    assert rows["HF_TOKEN"].told == rows["HF_SOME_KEY"].told == "set"
    assert rows["HF_ENDPOINT"].told == "https://example.org/hub"
    assert rows["HTTPS_PROXY"].told == "http://proxy:80"
    assert rows["IMGEN_PLUGIN"].state == "warn" and "did you mean 'IMGEN_PLUGINS'" in rows["IMGEN_PLUGIN"].told
    assert rows["IMGEN_CACHE"].state == "ok" and "UNRELATED" not in rows


def test_the_doctor_knows_every_variable_of_imgen():
    sources = "".join(path.read_text(encoding="utf8") for path in Path(imgen.__file__).parent.rglob("*.py"))
    assert set(re.findall(r"IMGEN_[A-Z_]+", sources)) <= set(surroundings.OURS)


def test_the_hub(monkeypatch):
    def fails():
        raise HubError("https://example.org: cannot be reached", again=True)

    for reach, state, says in (
        (lambda: "https://example.org: reached, logged in as me", "ok", "logged in as me"),
        (fails, "warn", "https://example.org: cannot be reached"),
        (lambda: 1 / 0, "broken", "ZeroDivisionError"),
        (lambda: time.sleep(1), "warn", "no answer in 0.2 seconds"),
    ):
        monkeypatch.setattr(client, "reach", reach)
        row = surroundings.hub(0.2)
        assert row.state == state and says in row.told


def test_offline_asks_no_hub(doctor, cli, monkeypatch):
    asked = []
    monkeypatch.setattr(client, "reach", lambda: asked.append(1) or "reached")
    assert "hub" not in doctor()[1] and not asked
    assert any(row["name"] == "hub" for row in json.loads(cli("doctor", "--json").out)["rows"]) and asked
