"""A Hub that lies: nothing comes to lie outside the cache, and nothing is taken for what it is not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from server import Planted

from imgen.errors import HubError
from imgen.hub import client
from imgen.hub.reference import Reference


@pytest.mark.parametrize("tag", ["../../../../pwned", "/tmp/pwned", "0" * 41, ""])
def test_a_sum_that_is_none(hub, here, tree, tag):
    """The library would call a file in its cache that."""
    hub.plant("ben/bad", {"config.json": Planted(b"{}", etag=tag or "x")})
    there = client.state(Reference("ben/bad"))
    before = tree(hub.home)
    with pytest.raises(HubError, match="no sum of it"):
        client.fetch(there, "config.json")
    assert tree(hub.home) == before and not any(here.iterdir())


def test_another_sum_than_the_listings(hub):
    hub.plant("ben/bad", {"config.json": b"{}"})
    there = client.state(Reference("ben/bad"))
    hub.plant("ben/bad", {"config.json": b"[]"})
    changed = client.state(Reference("ben/bad"))
    with pytest.raises(HubError, match="no sum of it, or two"):
        client.fetch(replace(there, commit=changed.commit), "config.json")


def test_a_sum_that_the_content_has_not(hub):
    hub.plant("ben/bad", {"config.json": Planted(b"{}", etag="0" * 40)})
    there = client.state(Reference("ben/bad"))
    with pytest.raises(HubError, match="otherwise than"):
        client.fetch(there, "config.json")


def test_content_that_is_not_what_was_told(hub):
    hub.plant("ben/bad", {"config.json": b'{"a": 1}'})
    there = client.state(Reference("ben/bad"))
    hub.fail("GET", "/resolve/", status=200, body=b'{"a": 2}', times=None)
    with pytest.raises(HubError, match="otherwise than"):
        client.fetch(there, "config.json")
    hub.faults.clear()
    assert client.fetch(there, "config.json").read_bytes() == b'{"a": 1}', "what was wrong is not kept"


def test_a_size_that_is_not_the_contents(hub, cli):
    hub.plant("ben/bad", {"model.safetensors": Planted(b"0123456789", size=20, large=True)})
    said = cli("pull", "ben/bad")
    assert said.status == 1 and len(said.lines) == 1
    assert "does not answer" not in said.err, said.err
