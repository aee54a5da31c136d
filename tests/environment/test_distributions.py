"""Requirements that install a package again, in every way that pip and uv note where one came from."""

from __future__ import annotations

import json

import pytest

from imgen.distributions import fits, normal, package_of, without_password


@pytest.mark.parametrize(
    ("origin", "requirement"),
    [
        (None, "stranger-dots==1.0"),
        ("no json", "stranger-dots==1.0"),
        ([1], "stranger-dots==1.0"),
        ({"dir_info": {}}, "stranger-dots==1.0"),
        ({"url": "file:///src/my%20dots", "dir_info": {"editable": True}}, "-e file:///src/my%20dots"),
        ({"url": "file:///src/my%20dots", "dir_info": {}}, "stranger-dots@file:///src/my%20dots"),
        (
            {"url": "https://h/r.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}, "subdirectory": "a/b"},
            "stranger-dots@git+https://h/r.git@abc#subdirectory=a/b",
        ),
        (
            {"url": "https://me:secret@h/d.whl", "archive_info": {"hashes": {"sha256": "12", "md5": "3"}}},
            "stranger-dots@https://h/d.whl#sha256=12",
        ),
        (
            {"url": "ssh://git@h/r.git", "vcs_info": {"vcs": "git", "commit_id": "abc"}},
            "stranger-dots@git+ssh://git@h/r.git@abc",
        ),
    ],
)
def test_what_installs_it_again(origin, requirement, write_plugin):
    point = write_plugin("dots", "")
    if origin is not None:
        text = origin if isinstance(origin, str) else json.dumps(origin)
        (write_plugin.home / "stranger_dots-1.0.dist-info/direct_url.json").write_text(text)
    package = package_of(point.dist)
    assert package.requirement == requirement
    assert package.name == "stranger-dots" and not requirement.removeprefix("-e ").count(" ")
    if not requirement.startswith("-e"):
        from packaging.requirements import Requirement

        assert normal(Requirement(requirement).name) == "stranger-dots"


@pytest.mark.parametrize(
    ("version", "specifier", "so"),
    [
        ("0.1.0", ">=0.1", True),
        ("0.1", ">=0.1.0", True),
        ("0.10", ">=0.9", True),
        ("0.9", ">= 0.10", False),
        ("1.0", ">=0.9,<1", False),
        ("1.0.dev1", ">=1.0", False),
        ("1.0.dev1", ">=0.9", True),
        ("2.13.0+cpu", "==2.13.0", True),
        ("not a version", ">=1", True),
        ("1", ">=?", True),
    ],
)
def test_versions_as_pip_compares_them(version, specifier, so):
    assert fits(version, specifier) is so


def test_urls_lose_their_passwords():
    assert without_password("https://a:b@c.org:8080/d?e=f") == "https://c.org:8080/d?e=f"
    assert without_password("https://c.org/d@e") == "https://c.org/d@e"
    assert without_password("http://[bad") == "http://[bad"
