"""Random changes that make a valid file a hostile one."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable
from typing import Any

import torch
from hostile_repository import STATE, Repository
from safetensors.torch import load

from imgen.hub import contents
from imgen.model import _digest
from imgen.yaml_lines import dump, parse

Files = dict[str, bytes]

_NUMBERS = (0, -1, 1, 2, 3, 5, 8, 17, 64, 1000, 4095, 65_536, 2**22, 2**31, 2**32, 2**63, 2**64, 10**30, -(2**63))
_TEXTS = (
    *("", "x", "a" * 2000, "../../../etc/passwd", "/etc/passwd", "os:system", "pkg.mod.Class", "__import__('os')"),
    *("\x1b[2J\x1b]0;gone\x07", "\u202egnp.exe", "line\nbreak", "\x00", "\ud800", "$(touch gone)", "F32", "NaN", "-"),
    *("sddcgan", "sggan", "discogan", "faces", "new", "spectral", "gaussian", "evil (pkg; rm -rf 1)", "ev (a-pkg 1.0)"),
)
_PATHS = (
    *("../model.safetensors", "/etc/passwd", "..\\config.json", "sheets/../../x.png", "C:/x", "a//b", "./a", "a/", ""),
    *(
        "x\x1b[2J",
        "x\u202e",
        "~/x",
        "pytorch_model.bin",
        ".gitattributes",
        "Model.safetensors",
        "sheets/../a",
        "\ud800",
    ),
    *("model.safetensors", "config.json", "checkpoints/step-00000009/state.json", "a/" * 600, "sheets/X.png", "CON"),
)
_YAML = (
    *("a: &a [x]\nb: *a\n", "x: !!python/object/apply:os.system [ls]\n", "<<: {a: 1}\n", "- - - - -\n", "{" * 200),
    *("\t", "name: os:system\n", "name: pkg.mod.Class\n", "? ", "%YAML 9.9\n---\n", "--- x\n---\n", "\x1b[2J", "\x00"),
    *(
        "a: &x {b: *x}\n",
        "[" * 2000,
        "'",
        '"',
        "|2\n",
        "&",
        "*",
        "1" * 5000,
        "1e999",
        ".nan",
        "-.inf",
        "0x10",
        "\ufeff",
    ),
)


def listing(repository: Repository, rng: random.Random) -> list[tuple[Any, Any]]:
    """What a repository says that it holds, with lies."""
    told: list[tuple[Any, Any]] = [(path, len(content)) for path, content in repository.files.items()]
    for _ in range(rng.randint(1, 3)):
        match rng.randrange(5):
            case 0:
                told.insert(rng.randrange(len(told) + 1), (rng.choice(_PATHS), rng.choice(_NUMBERS)))
            case 1:
                place = rng.randrange(len(told))
                told[place] = (told[place][0], rng.choice((*_NUMBERS, None, "1", 1.5, True)))
            case 2:
                told.pop(rng.randrange(len(told)))
            case 3:
                path, size = rng.choice(told)
                told.append((_text(str(path), rng), size))
            case _:
                told.append(rng.choice(told))
        told = told or [("a", 1)]
    return told


def mutated(repository: Repository, rng: random.Random) -> tuple[str, Files]:
    """The name of a kind of change, and the files that it changes."""
    name = rng.choice(list(KINDS))
    return name, KINDS[name](repository.files, rng)


def _bytes(files: Files, rng: random.Random) -> Files:
    path = rng.choice(list(files))
    return {path: _shaken(files[path], rng)}


def _weights_bytes(files: Files, rng: random.Random) -> Files:
    """In the header above all: what lies behind it is under a sum."""
    content = files[contents.WEIGHTS]
    end = 8 + int.from_bytes(content[:8], "little")
    return {contents.WEIGHTS: _shaken(content[:end], rng) + content[end:]}


def _shaken(content: bytes, rng: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(len(found) + 1)
        match rng.randrange(6):
            case 0:
                del found[at:]
            case 1:
                found[at:at] = rng.randbytes(rng.randint(1, 40))
            case 2:
                del found[at : at + rng.randint(1, 60)]
            case 3:
                start = rng.randrange(len(found) + 1)
                found[at:at] = found[start : start + rng.randint(1, 200)]
            case _:
                if at < len(found):
                    found[at] ^= 1 << rng.randrange(8)
    return bytes(found)


def _length(files: Files, rng: random.Random) -> Files:
    path = rng.choice([path for path in files if path.endswith(".safetensors")])
    length = rng.choice((*(abs(number) for number in _NUMBERS), rng.getrandbits(64), rng.randrange(5000))) % 2**64
    return {path: length.to_bytes(8, "little") + files[path][8:]}


def _header(files: Files, rng: random.Random) -> Files:
    """The header that the library reads: dtypes, shapes, offsets, names."""
    path = rng.choice([path for path in files if path.endswith(".safetensors")])
    told, data = _split(files[path])
    names = [name for name in told if name != "__metadata__"]
    for _ in range(rng.randint(1, 3)):
        each = told[rng.choice(names)]
        match rng.randrange(7):
            case 0 if isinstance(each, dict):
                each["dtype"] = rng.choice(("F64", "F16", "U8", "BOOL", "X", "F32", "C64", "F4", "f32", None, 5))
            case 1 if isinstance(each, dict):
                each["shape"] = [rng.choice(_NUMBERS) for _ in range(rng.randint(0, 4))]
            case 2 if isinstance(each, dict):
                each["data_offsets"] = sorted(rng.choice((*_NUMBERS, len(data))) for _ in range(rng.randint(1, 3)))
            case 3:
                one, other = rng.choice(names), rng.choice(names)
                told[one], told[other] = told[other], told[one]
            case 4:
                told[rng.choice(_TEXTS)] = each
            case _:
                told = _changed(told, rng)
                names = [name for name in told if name != "__metadata__"] if isinstance(told, dict) else []
                if not names:
                    break
    return {path: _joined(told, data)}


def _config(files: Files, rng: random.Random) -> Files:
    """The configuration in the header, signed anew: its author can do so, too."""
    told, data = _split(files[contents.WEIGHTS])
    ours = json.loads(told["__metadata__"]["imgen"])
    ours.pop("sha256")
    for _ in range(rng.randint(1, 2)):
        part = rng.choice(("settings", "data", "origin", None, "settings", "data"))
        if part and isinstance(ours, dict) and part in ours:
            ours[part] = _changed(ours[part], rng)
        else:
            ours = _changed(ours, rng)
    if isinstance(ours, dict):
        ours = {**ours, "sha256": _digest(ours, load(files[contents.WEIGHTS]).items())}
    told["__metadata__"]["imgen"] = _json(ours)
    return {contents.WEIGHTS: _joined(told, data)}


def _plain_json(files: Files, rng: random.Random) -> Files:
    path = rng.choice([path for path in files if path.endswith(".json")])
    return {path: _json(_changed(json.loads(files[path]), rng)).encode("utf8", "surrogatepass")}


def _state(files: Files, rng: random.Random) -> Files:
    """The training state's list of files, and tensors of other shapes under sums that match."""
    from safetensors.torch import save

    path = f"{STATE}/optim.safetensors"
    held = load(files[path])
    name = rng.choice(list(held))
    match rng.randrange(3):
        case 0:
            del held[name]
        case 1:
            held[name] = held[name].to(getattr(torch, rng.choice(("int32", "float64", "bool", "float16"))))
        case _:
            other = rng.choice((name, "g/b/exp_avg", "x", "a/b/c/d", *_TEXTS[:6]))
            held[other] = held[name].new_ones(rng.randint(0, 9))
    content = save(held)
    told = json.loads(files[f"{STATE}/state.json"])
    told["files"]["optim.safetensors"] = [len(content), hashlib.sha256(content).hexdigest()]
    if rng.random() < 0.5:
        told["files"][rng.choice(_PATHS)] = [1, "0"]
    return {path: content, f"{STATE}/state.json": _json(told).encode("utf8", "surrogatepass")}


def _lines(files: Files, rng: random.Random) -> Files:
    path = rng.choice([path for path in files if path.endswith(".jsonl")])
    lines = files[path].decode().splitlines()
    place = rng.randrange(len(lines))
    for _ in range(rng.randint(1, 3)):
        lines[place] = _json(_changed(json.loads(lines[place]), rng))
    return {path: "\n".join(lines).encode("utf8", "surrogatepass")}


def _recipe(files: Files, rng: random.Random) -> Files:
    text = files[contents.RECIPE].decode()
    match rng.randrange(3):
        case 0:
            content = _changed(parse(text, "").content, rng)
            try:
                text = dump(content)
            except Exception:
                text = _json(content)
        case 1:
            text = _text(text, rng)
        case _:
            lines = text.splitlines(keepends=True)
            lines.insert(rng.randrange(len(lines) + 1), rng.choice(_YAML))
            text = "".join(lines)
    return {contents.RECIPE: text.encode("utf8", "surrogatepass")}


def _swapped(files: Files, rng: random.Random) -> Files:
    """The content of one file under the name of another."""
    one, other = rng.choice(list(files)), rng.choice(list(files))
    return {one: files[other], other: files[one]}


def _card(files: Files, rng: random.Random) -> Files:
    return {contents.CARD: _text(files[contents.CARD].decode(), rng).encode("utf8", "surrogatepass")}


KINDS: dict[str, Callable[[Files, random.Random], Files]] = {
    "bytes of any file": _bytes,
    "bytes of the weights' header": _weights_bytes,
    "length of a header": _length,
    "structure of a header": _header,
    "configuration, signed": _config,
    "config.json, state.json": _plain_json,
    "state, signed": _state,
    "lines of numbers and events": _lines,
    "recipe": _recipe,
    "card": _card,
    "swapped files": _swapped,
}


def _text(text: str, rng: random.Random) -> str:
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice((*_TEXTS, *_YAML)) + text[at + rng.choice((0, 0, 1, 5, 30)) :]
    return text


def _changed(value: Any, rng: random.Random, depth: int = 0) -> Any:
    """Plain values with one of them, anywhere, made another."""
    if isinstance(value, dict) and value and rng.random() < 0.9:
        key = rng.choice(list(value))
        match rng.randrange(12):
            case 0:
                return {other: each for other, each in value.items() if other != key}
            case 1:
                return {**value, rng.choice(_TEXTS): _odd(rng)}
            case _:
                return {**value, key: _changed(value[key], rng, depth + 1)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        place = rng.randrange(len(value))
        return [*value[:place], _changed(value[place], rng, depth + 1), *value[place + 1 :]]
    if isinstance(value, int) and rng.random() < 0.6:
        return rng.choice((value + 1, value - 1, value * 2, -value, rng.choice(_NUMBERS)))
    return _odd(rng)


def _odd(rng: random.Random) -> Any:
    match rng.randrange(9):
        case 0:
            return rng.choice(_NUMBERS)
        case 1:
            return rng.choice((1e308, -1e-308, 0.5, float("nan"), float("inf"), 1e15))
        case 2:
            return rng.choice((None, True, False))
        case 3:
            return [rng.choice(_NUMBERS) for _ in range(rng.choice((0, 1, 3, 2000)))]
        case 4:
            return {rng.choice(_TEXTS): rng.choice(_TEXTS)}
        case 5:
            deep: Any = 1
            for _ in range(rng.choice((3, 40, 900))):
                deep = [deep] if rng.random() < 0.5 else {"a": deep}
            return deep
        case _:
            return rng.choice(_TEXTS)


def _json(told: Any) -> str:
    return json.dumps(told)


def _split(content: bytes) -> tuple[Any, bytes]:
    end = 8 + int.from_bytes(content[:8], "little")
    return json.loads(content[8:end]), content[end:]


def _joined(told: Any, data: bytes) -> bytes:
    header = _json(told).encode()
    return len(header).to_bytes(8, "little") + header + data
