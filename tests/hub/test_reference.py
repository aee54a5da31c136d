"""Names of repositories, as people type them."""

from __future__ import annotations

import pytest

from imgen.errors import HubError
from imgen.hub.contents import kind_of
from imgen.hub.reference import Reference, is_reference


@pytest.mark.parametrize(
    ("text", "repo", "revision"),
    [
        ("anna/faces", "anna/faces", None),
        ("hub:anna/faces", "anna/faces", None),
        ("anna/faces@v1.0", "anna/faces", "v1.0"),
        ("my-org/sd_gan.64@refs/pr/3", "my-org/sd_gan.64", "refs/pr/3"),
    ],
)
def test_a_repository_and_its_revision(text, repo, revision):
    assert Reference.parse(text) == Reference(repo, revision)
    assert str(Reference.parse(text)) == text.removeprefix("hub:")


@pytest.mark.parametrize(
    "text",
    [
        *(
            "faces",
            "a/b/c",
            "/faces",
            "anna/",
            "../faces",
            "anna/..",
            "anna/fa..ces",
            "a--b/c",
            "anna/fa ces",
            "./faces",
        ),
        *("anna/faces\n", "anna/\x1b[2J", "anna/faces@", "anna/faces@../x", "anna/faces@a//b", "anna/" + "f" * 97),
        *("https://example.org/anna/faces", "runs/faces/model.safetensors", "~/faces"),
    ],
)
def test_what_is_none_is_refused_in_one_line(text):
    assert not is_reference(text)
    with pytest.raises(HubError) as told:
        Reference.parse(text)
    assert "\n" not in str(told.value) and "\x1b" not in str(told.value)


@pytest.mark.parametrize(
    "path", ["model.safetensors", "README.md", "sheets/preview.png", "checkpoints/step-00000004/state.json"]
)
def test_files_of_ours(path):
    assert kind_of(path)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "../model.safetensors",
            "sheets/../../x.png",
            "/model.safetensors",
            "model.safetensors\n",
            "pytorch_model.bin",
        ),
        *("sheets/A.PNG", "sheets/a b.png", "checkpoints/step-1/state.json", "imgen/cli.py", "sheets/x.svg", ""),
    ],
)
def test_all_else_is_none(path):
    assert kind_of(path) is None
