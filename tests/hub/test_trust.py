"""What others published is refused in one line wherever it is not what it says, before any library reads it."""

from __future__ import annotations

import json
import os
import struct
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save

from imgen.errors import HubError
from imgen.hub import trust
from imgen.hub.trust import check_file, check_listing
from imgen.train import checkpoint

WHERE = "user/name"
GOOD = [("model.safetensors", 10), ("config.json", 5), ("README.md", 3)]
STEP = "checkpoints/step-00000003"


def refused(says: str, *arguments) -> None:
    """`check_file`, or `check_listing` of a listing, refuses in one plain line that has these words."""
    with pytest.raises(HubError) as caught:
        if len(arguments) == 1:
            check_listing(arguments[0], WHERE)
        else:
            check_file(*arguments, WHERE)
    text = str(caught.value)
    assert says in text
    assert text.startswith(f"{WHERE}: ")
    assert text.isprintable(), "one line, and nothing that steers"
    assert len(text) < 500


class TestListing:
    def test_what_is_ours_in_its_order_and_nothing_else(self):
        others = [(".gitattributes", 1), ("pytorch_model.bin", 2**50), ("Model.safetensors", 1), ("größe/大.txt", 1)]
        sheets = [("sheets/preview.png", 9), (f"{STEP}/state.json", 9), (f"{STEP}/other.json", 9)]
        wanted = ["model.safetensors", "config.json", "README.md", "sheets/preview.png", f"{STEP}/state.json"]
        assert check_listing([*GOOD, *others, *sheets], WHERE) == wanted

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("../model.safetensors", "would leave its folder"),
            ("sheets/../../../.bashrc", "would leave its folder"),
            ("./config.json", "would leave its folder"),
            ("sheets//x.png", "would leave its folder"),
            ("/etc/passwd", "no name within a repository"),
            ("~/.ssh/authorized_keys", "no name within a repository"),
            ("C:/Windows/x", "no name within a repository"),
            ("..\\config.json", "backslash"),
            ("x\x1b[2J", "control characters"),
            ("x\ny", "control characters"),
            ("x\x00", "control characters"),
            ("gnp\u202egnp.exe", "control characters"),
            ("\ud800", "control characters"),
            ("a/" * 600 + "b", "too long"),
            ("", "has no name"),
            (None, "has no name"),
            ({"a": 1}, "has no name"),
        ],
    )
    def test_names_that_would_leave_the_folder(self, path, says):
        refused(says, [*GOOD, (path, 1)])

    @pytest.mark.parametrize(
        ("entry", "says"),
        [
            (("config.json", 100 * 2**20), "config.json: 104,857,600 bytes; 1,048,576 are allowed"),
            (("recipe.yaml", -1), "has no size"),
            (("recipe.yaml", None), "has no size"),
            (("recipe.yaml", True), "has no size"),
            (("config.json", 5), "listed twice"),
        ],
    )
    def test_sizes(self, entry, says):
        refused(says, [*GOOD, entry])

    def test_no_model(self):
        refused(
            "holds no model.safetensors; imgen never reads files such as pytorch_model.bin", [("pytorch_model.bin", 1)]
        )
        refused("holds no model.safetensors", [])

    def test_a_listing_without_end_is_not_read_to_its_end(self, monkeypatch):
        monkeypatch.setattr(trust, "MOST_ENTRIES", 3_000)
        read = 0

        def endless():
            nonlocal read
            while True:
                read += 1
                yield f"x{read}", 1

        refused("lists more than 3,000 files", endless())
        assert read == 3_001
        refused("lists more than 2,000", [(f"checkpoints/step-{step:08d}/state.json", 1) for step in range(3000)])


def safetensors(path: Path, header: object, data: bytes = b"", length: int | None = None) -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text) if length is None else length) + text + data)
    return path


def one(shape: object = (2,), offsets: object = (0, 8), dtype: object = "F32") -> dict[str, object]:
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets}


OPTIM = f"{STEP}/optim.safetensors"


class TestTensors:
    def test_a_sound_file_is_taken(self, tmp_path):
        (tmp_path / "x").write_bytes(save({"a": torch.ones(2, 3), "b": torch.zeros(0), "c": torch.tensor(1)}))
        check_file(OPTIM, tmp_path / "x", WHERE)

    @pytest.mark.parametrize(
        ("header", "says"),
        [
            ({"a": one((2_000_000_000,))}, "'a' needs 8,000,000,000 bytes by its shape, but has 8"),
            ({"a": one((2_000_000_000,), (0, 8_000_000_000))}, "take 8,000,000,000 bytes, but it holds 8"),
            ({"a": one((2**40, 2**40))}, "by its shape, but has 8"),
            ({"a": one((2**62, 0), (0, 0))}, "no shape that a tensor can have"),
            ({"a": one((-2,))}, "no shape"),
            ({"a": one((True, 2))}, "no shape"),
            ({"a": one((2.0,))}, "no shape"),
            ({"a": one([1] * 17 + [2])}, "no shape"),
            ({"a": one(), "b": one()}, "'b' overlaps another"),
            ({"a": one((1,), (0, 4)), "b": one((1,), (3, 7))}, "overlaps another"),
            ({"a": one((1,), (4, 8))}, "'a' leaves a gap before it"),
            ({"a": one((1,), (0, 4))}, "its tensors take 4 bytes, but it holds 8"),
            ({"a": one((2,), (8, 0))}, "no begin and end"),
            ({"a": one((2,), (0, 4, 8))}, "no begin and end"),
            ({"a": one(dtype="O")}, "unknown kind 'O'"),
            ({"a": one(dtype=["F32"])}, "unknown kind"),
            ({"a": {**one(), "more": 1}}, "not told by dtype, shape and data_offsets"),
            ({"a" * 600: one()}, "has a name of 600 characters"),
            ({"a": one(), "__metadata__": {"imgen": 1}}, "metadata are not texts by name"),
            ({"a\x1b[2J": one()}, "control character U+001B"),
            (b'{"a": 1, "a": 2}', "the key 'a' stands twice"),
            (b'{"a": NaN}', "NaN is no number"),
            (b"[]", "its header is not JSON"),
            (b" {}", "its header is not JSON"),
            (b"{" + b'"a":{' * 2000, "its header is not"),
            (b'{"a": ' + b"9" * 5000 + b"}", "a number of 5,000 digits"),
            (b"\xff", "its header is not JSON"),
        ],
    )
    @pytest.mark.parametrize("path", [OPTIM, "model.safetensors"])
    def test_a_header_that_lies(self, header, says, path, tmp_path):
        refused(says, path, safetensors(tmp_path / "x", header, bytes(8)))

    @pytest.mark.parametrize("length", [2**63, 2**40, 9, 2**64 - 1])
    def test_the_length_of_a_header(self, length, tmp_path):
        refused("more than the file has", OPTIM, safetensors(tmp_path / "x", {}, length=length))

    def test_a_long_header_and_an_empty_file(self, tmp_path):
        with safetensors(tmp_path / "x", {}, length=2**30).open("ab") as file:
            file.truncate(2**31)  # sparse: it takes no room
        refused("8,388,608 are allowed", OPTIM, tmp_path / "x")
        (tmp_path / "x").write_bytes(b"")
        refused("which is more than the file has", OPTIM, tmp_path / "x")

    def test_weights_without_a_configuration(self, tmp_path):
        (tmp_path / "x").write_bytes(save({"a": torch.ones(2)}))
        refused("no imgen configuration", "model.safetensors", tmp_path / "x")


@pytest.mark.parametrize(
    ("path", "content", "says"),
    [
        ("config.json", b"[1]", "not a JSON object"),
        ("config.json", b'{"a":' * 500 + b"1" + b"}" * 500, "nested deeper"),
        ("config.json", b'{"a":' * 100_000, "nested deeper"),
        ("config.json", b'{"a": 1e999}', "too large a number"),
        ("config.json", b'{"a": "\\u001b[2J"}', "control character U+001B"),
        ("config.json", b"\xff\xfe", "not text in UTF-8"),
        ("config.json", b"[" + b"1," * 500_000, "not JSON"),
        (f"{STEP}/state.json", b"{", "not JSON"),
        ("recipe.yaml", b"algorithm: {name: os:system}", "'os:system' is no name of a registered thing"),
        ("recipe.yaml", b"dataset: pkg.mod.Class", "'pkg.mod.Class' is no name of a registered thing"),
        ("recipe.yaml", b"metrics: [{name: ../x}]", "'../x' is no name"),
        ("recipe.yaml", b"a: &a [1]\nb: [*a, *a]", "aliases are not allowed"),
        ("recipe.yaml", b"a: !!python/object/apply:os.system [ls]", "plain values only"),
        ("recipe.yaml", b"a: " + b"[" * 1000, "nested too deeply"),
        ("recipe.yaml", b"- a", "not a recipe"),
        ("recipe.yaml", b"a: 1\n" * 20_000, "65,536 are allowed"),
        ("recipe.yaml", b"a: \x1b[2J", "control character U+001B"),
        ("recipe.yaml", b'a: {b: "\\e[2J"}', "1: a text with the control character U+001B"),
        ("recipe.yaml", b'"\\u202e": 1', "1: a text with the control character U+202E"),
        ("recipe.yaml", b"a: " + b"9" * 4000, "a number of 4,000 digits"),
        ("README.md", b"# Mine\n\x1b]0;gone\x07", "control character U+001B, which could steer a terminal"),
        ("README.md", "turned \u202e".encode(), "control character U+202E"),
        ("README.md", b"\x89PNG\xff", "not text in UTF-8"),
        ("metrics.jsonl", b'{"a": 1}\n{"a"', "line 2: not JSON"),
        ("metrics.jsonl", b'"' + b"a" * (5 * 2**20) + b'"', "line 1 has more than 4,194,304 bytes"),
        ("events.jsonl", b'{"a": 1}\n\x9b2J\xff', "line 2 is not text"),
        ("events.jsonl", "\x9b2J".encode(), "control character U+009B"),
        ("sheets/x.png", b"no picture", "not a picture"),
        ("other.txt", b"", "nothing that imgen reads"),
    ],
)
def test_content_that_is_not_what_it_says(path, content, says, tmp_path):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_bytes(content)
    refused(says, path, tmp_path / path)


def test_numbers_that_would_not_fit_into_memory(tmp_path, monkeypatch):
    """Each line is a short one, but all of them are kept."""
    monkeypatch.setattr(trust, "MOST_VALUES", 1_000)
    (tmp_path / "metrics.jsonl").write_text('{"a": [1, 2, 3]}\n' * 200)
    check_file("metrics.jsonl", tmp_path / "metrics.jsonl", WHERE)
    (tmp_path / "metrics.jsonl").write_text('{"a": [1, 2, 3]}\n' * 300)
    refused("more than 1,000 values", "metrics.jsonl", tmp_path / "metrics.jsonl")


def test_lines_without_end(tmp_path, monkeypatch):
    """A line takes a byte of a file and far more of whoever reads it."""
    monkeypatch.setattr(trust, "MOST_LINES", 1_000)
    (tmp_path / "events.jsonl").write_text("\n" * 1_000)
    check_file("events.jsonl", tmp_path / "events.jsonl", WHERE)
    (tmp_path / "events.jsonl").write_text("\n" * 1_001)
    refused("holds more than 1,000 lines", "events.jsonl", tmp_path / "events.jsonl")


def test_sound_texts_are_taken(tmp_path):
    told = {
        "config.json": '{"a": [1, 2.5, null, "größe 大 👩‍👧"]}',
        "recipe.yaml": "algorithm: {name: mine}\ndataset: größe-2\nmetrics: [one, {name: two}]\n",
        "README.md": "---\ntags: [imgen]\n---\r\n\tמודל 👩‍👧\n",
        "metrics.jsonl": '{"a": 1}\n',
        "events.jsonl": '{"a": 1}\n{"cut',
    }
    for path, text in told.items():
        (tmp_path / path).write_bytes(text.encode())
        check_file(path, tmp_path / path, WHERE)


def test_a_file_larger_than_its_kind(tmp_path):
    with (tmp_path / "config.json").open("wb") as file:
        file.truncate(100 * 2**20)
    refused("104,857,600 bytes; 1,048,576 are allowed", "config.json", tmp_path / "config.json")


class TestSheets:
    def test_sound_ones_are_taken(self, tmp_path):
        for format in ("png", "gif"):
            path = tmp_path / "sheets" / f"x.{format}"
            path.parent.mkdir(exist_ok=True)
            Image.new("L", (4, 4)).save(path)
            check_file(f"sheets/x.{format}", path, WHERE)

    def test_another_format_and_too_many_pixels(self, tmp_path):
        (tmp_path / "sheets").mkdir()
        path = tmp_path / "sheets/x.png"
        Image.new("L", (4, 4)).save(path, "BMP")
        refused("its content is BMP, not PNG", "sheets/x.png", path)
        Image.new("1", (20_001, 1)).save(path)
        refused("20,001 x 1 pixels", "sheets/x.png", path)
        content = bytearray(path.read_bytes())
        content[16:24] = struct.pack(">II", 2**30, 2**30)
        path.write_bytes(content)
        refused("sheets/x.png: ", "sheets/x.png", path)


class TestPlaces:
    @pytest.fixture
    def cached(self, tmp_path) -> Path:
        """A file in the Hub's own cache, which keeps contents in a folder beside and links to them."""
        blob = tmp_path / "models--user--name/blobs/abc"
        blob.parent.mkdir(parents=True)
        blob.write_text("{}")
        file = tmp_path / "models--user--name/snapshots/123/config.json"
        file.parent.mkdir(parents=True)
        file.symlink_to("../../blobs/abc")
        return file

    def test_links_of_the_cache_itself_are_taken(self, cached):
        check_file("config.json", cached, WHERE)
        state = cached.parent / STEP / "state.json"
        state.parent.mkdir(parents=True)
        state.symlink_to("../../../../blobs/abc")
        check_file(f"{STEP}/state.json", state, WHERE)

    @pytest.mark.parametrize("aim", ["../../../outside", "../../refs/main", "../456/config.json", "absent"])
    def test_links_that_lead_elsewhere(self, aim, cached, tmp_path):
        for path in ("outside", "models--user--name/refs/main", "models--user--name/snapshots/456/config.json"):
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_text("{}")
        cached.unlink()
        cached.symlink_to(aim)
        refused("symbolic link that leads elsewhere", "config.json", cached)

    def test_contents_that_are_links_themselves(self, cached, tmp_path):
        (tmp_path / "outside").write_text("{}")
        blob = cached.resolve()
        blob.unlink()
        blob.symlink_to(tmp_path / "outside")
        refused("symbolic link that leads elsewhere", "config.json", cached)

    def test_links_outside_of_a_cache_and_folders_that_are_links(self, tmp_path):
        (tmp_path / "real/sheets").mkdir(parents=True)
        (tmp_path / "real/config.json").write_text("{}")
        (tmp_path / "real/sheets/x.png").write_bytes(b"")
        (tmp_path / "cloned").mkdir()
        (tmp_path / "cloned/config.json").symlink_to(tmp_path / "real/config.json")
        (tmp_path / "cloned/sheets").symlink_to(tmp_path / "real/sheets")
        refused("symbolic link that leads elsewhere", "config.json", tmp_path / "cloned/config.json")
        refused("a folder that is a symbolic link", "sheets/x.png", tmp_path / "cloned/sheets/x.png")

    @pytest.mark.parametrize("path", ["config.json", OPTIM])
    def test_pipes_and_folders(self, path, tmp_path):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(tmp_path / path)
        refused("not a plain file", path, tmp_path / path)
        (tmp_path / path).unlink()
        (tmp_path / path).mkdir()
        refused("not a plain file", path, tmp_path / path)
        refused("cannot be read: No such file", path, tmp_path / "absent" / path)


class TestState:
    """The training state of others is read by the trainer."""

    @pytest.fixture
    def run(self, tmp_path) -> Path:
        (tmp_path / "run" / STEP).mkdir(parents=True)
        return tmp_path / "run"

    @pytest.mark.parametrize("name", ["../../../outside", "/etc/passwd", "other.safetensors", "state.json", ""])
    def test_a_state_that_names_other_files_is_none(self, name, run, tmp_path):
        (tmp_path / "outside").write_text("12345")
        told = {"step": 3, "files": {name: [5, "0"]}}
        (run / STEP / "state.json").write_text(json.dumps(told))
        assert checkpoint.latest(run) is None
        assert checkpoint.newest_step(run) is None

    @pytest.mark.parametrize("step", [-1, True, "3", 10**9, None, 3.0])
    def test_a_state_of_no_step_is_none(self, step, run):
        (run / STEP / "state.json").write_text(json.dumps({"step": step, "files": {}}))
        assert checkpoint.newest_step(run) is None
