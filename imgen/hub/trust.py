"""What others published is data: listings and files are checked here before anything else reads them."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path, PurePosixPath

from imgen import images, strict_json, tensor_header, yaml_lines
from imgen.errors import DataError, HubError, RecipeError, WeightsError
from imgen.hub import contents
from imgen.model import read_config
from imgen.plain import plain, steering

MOST_ENTRIES = 100_000
MOST_OURS = 2_000
MOST_PER_LINE = 4 * 2**20  # bytes
MOST_LINES = 1_000_000  # of numbers or events; a run of a million steps has some 10,000
MOST_VALUES = 2_000_000  # of JSON in one file
WIDEST = 20_000  # pixels of one side of a sheet
_LONGEST_PATH = 1_000
_REGISTERED = re.compile(r"\w[\w-]{0,99}")
_UNREAD = (".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle", ".joblib", ".h5", ".onnx")


def check_listing(files: Iterable[tuple[str, int]], where: str) -> list[str]:
    """Those paths of a repository's listing that imgen reads, in its order; what is nothing of ours is left alone.

    files: paths and their sizes [bytes]; where: what the errors call the repository.

    Raises: `HubError` where a path tries to leave its folder, one of ours is too large or stands twice, there are too
    many, or no weights.
    """
    ours: dict[str, int] = {}
    strange = ""
    for count, (path, size) in enumerate(files, 1):
        if count > MOST_ENTRIES:
            raise HubError(f"{where}: lists more than {MOST_ENTRIES:,} files; a model of imgen has a few dozen")
        if reason := _escapes(path):
            raise HubError(
                f"{where}: lists the file '{plain(str(path), 80)}', which {reason}; nothing of it is fetched"
            )
        kind = contents.kind_of(path)
        if kind is None:
            strange = strange or (path if path.lower().endswith(_UNREAD) else "")
            continue
        if type(size) is not int or size < 0:
            raise HubError(f"{where}: {path}: has no size; the repository's listing is damaged")
        if size > kind.most:
            raise HubError(f"{where}: {path}: {size:,} bytes; {kind.most:,} are allowed")
        if path in ours:
            raise HubError(f"{where}: {path}: is listed twice; the repository's listing is damaged")
        ours[path] = size
        if len(ours) > MOST_OURS:
            raise HubError(f"{where}: lists more than {MOST_OURS:,} sheets and states; a model of imgen has a few")
    if contents.WEIGHTS not in ours:
        hint = f"; imgen never reads files such as {plain(strange, 80)}" if strange else ""
        raise HubError(f"{where}: no model of imgen: it holds no {contents.WEIGHTS}{hint}")
    return list(ours)


def check_file(path_in_repo: str, file: Path, where: str) -> None:
    """See to it that a fetched file is what its name says, before anything else reads it.

    path_in_repo: one of those that `check_listing` gave; where: what the errors call the repository.

    Raises: `HubError` in one line.
    """
    kind = contents.kind_of(path_in_repo)
    if kind is None:
        raise HubError(f"{where}: {plain(path_in_repo, 80)}: nothing that imgen reads")
    try:
        _check_place(path_in_repo, file)
        size = file.stat().st_size
        if size > kind.most:
            raise ValueError(f"{size:,} bytes; {kind.most:,} are allowed")
        _check_content(path_in_repo)(file)
    except OSError as error:
        raise HubError(f"{where}: {path_in_repo}: cannot be read: {plain(error.strerror or str(error))}") from None
    except (ValueError, DataError, RecipeError, WeightsError) as error:
        # What raises these speaks of the file in the cache.
        told = str(error).removeprefix(f"{file}: ").removeprefix(f"{file}:")
        raise HubError(f"{where}: {path_in_repo}: {plain(told, 300)}") from None


def _escapes(path: str) -> str:
    """Why a path must not be touched; '' where it is a plain one."""
    if not isinstance(path, str) or not path:
        return "has no name"
    if steering(path) or any(character in path for character in "\n\r\t"):
        return "has control characters in its name"
    if len(path) > _LONGEST_PATH:
        return "has a name that is too long"
    if "\\" in path:
        return "has a backslash in its name"
    if path.startswith(("/", "~")) or re.match(r"[A-Za-z]:", path):
        return "is no name within a repository"
    if any(part in ("", ".", "..") for part in path.split("/")):
        return "would leave its folder"
    return ""


def _check_place(path_in_repo: str, file: Path) -> None:
    """See to it that a file is a plain one, or a link of the Hub's own cache to where it keeps contents.

    Raises: `ValueError` where it is anything else.
    """
    parts = PurePosixPath(path_in_repo).parts
    root = file
    for depth, _ in enumerate(parts):
        root = root.parent
        if depth < len(parts) - 1 and root.is_symlink():
            raise ValueError("lies in a folder that is a symbolic link")
    if file.is_symlink():
        # snapshots/COMMIT/model.safetensors -> ../../blobs/SUM
        blobs = root.parent.parent / "blobs"
        aim = Path(os.path.realpath(file))
        if root.parent.name != "snapshots" or aim.parent != Path(os.path.realpath(blobs)):
            raise ValueError("is a symbolic link that leads elsewhere")
    if not stat.S_ISREG(file.stat().st_mode):
        raise ValueError("is not a plain file")


def _check_content(path: str) -> Callable[[Path], None]:
    name = PurePosixPath(path).name
    if path == contents.WEIGHTS or name == "ema.safetensors":
        return _weights
    if name.endswith(".safetensors"):
        return _tensors
    if name.endswith(".json"):
        return _object
    if name.endswith(".jsonl"):
        return _records if path == contents.METRICS else _events
    if path == contents.RECIPE:
        return _recipe
    return _sheet if path.startswith(f"{contents.SHEETS}/") else _card


def _weights(file: Path) -> None:
    read_config(file)


def _tensors(file: Path) -> None:
    tensor_header.read(file)


def _object(file: Path) -> None:
    strict_json.parse_object(file.read_bytes())


def _records(file: Path) -> None:
    """Every line is a JSON object, and all of them together are of a size that can be kept in memory."""
    left = MOST_VALUES
    for number, line in _numbered(file):
        left -= sum(line.count(mark) for mark in ",[{")
        if left < 0:
            raise ValueError(f"holds more than {MOST_VALUES:,} values")
        try:
            strict_json.parse_object(line)
        except ValueError as error:
            raise ValueError(f"line {number:,}: {error}") from None


def _events(file: Path) -> None:
    """Lines of text: what is no JSON in them was cut off when a process ended, and whoever reads passes over it."""
    for _ in _numbered(file):
        pass


def _numbered(file: Path) -> Iterator[tuple[int, str]]:
    with file.open("rb") as lines:
        number = 0
        while line := lines.readline(MOST_PER_LINE + 1):
            number += 1
            if number > MOST_LINES:
                raise ValueError(f"holds more than {MOST_LINES:,} lines")
            if len(line) > MOST_PER_LINE:
                raise ValueError(f"line {number:,} has more than {MOST_PER_LINE:,} bytes")
            yield number, _decoded(line, f"line {number:,} ")


def _recipe(file: Path) -> None:
    text = _text(file)
    content = yaml_lines.parse(text, str(file)).content
    if not isinstance(content, dict):
        raise ValueError("not a recipe, which is a mapping")
    metrics = content.get("metrics") or []
    parts = [content.get("algorithm"), content.get("dataset"), *(metrics if isinstance(metrics, list) else [])]
    for part in parts:
        name = part.get("name") if isinstance(part, dict) else part
        if name is not None and not (isinstance(name, str) and _REGISTERED.fullmatch(name)):
            raise ValueError(f"'{plain(str(name), 80)}' is no name of a registered thing; a recipe cannot name code")


def _sheet(file: Path) -> None:
    with file.open("rb") as data:
        header = images.header(data)
    wanted = {".png": "PNG", ".gif": "GIF"}[file.suffix]
    if header.format != wanted:
        raise ValueError(f"its content is {header.format}, not {wanted}")
    if max(header.width, header.height) > WIDEST:
        raise ValueError(f"{header.width:,} x {header.height:,} pixels; {WIDEST:,} a side are allowed")


def _card(file: Path) -> None:
    _text(file)


def _text(file: Path) -> str:
    return _decoded(file.read_bytes(), "")


def _decoded(content: bytes, where: str) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{where}is not text in UTF-8".strip()) from None
    if character := steering(text):
        raise ValueError(f"{where}holds the control character U+{ord(character):04X}, which could steer a terminal")
    return text
