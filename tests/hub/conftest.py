"""A Hub on this machine, its client in this process turned to it, and empty caches.

def test_it(hub, fresh_cache):
    HfApi().create_repo("anna/faces")            # goes to hub.endpoint, as anna
    assert hub.repos["anna/faces"].files() == {}
    hub.fail("POST", "/commit/", status=503)     # the next commit is refused once
    fresh_cache()                                # from here on, nothing is cached
"""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

# The server is several modules beside this one, which also run without pytest.
if str(Path(__file__).parent) not in sys.path:
    sys.path.append(str(Path(__file__).parent))

from server import HubServer


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HubServer]:
    """A running Hub that nothing points at yet; an error of its own fails the test."""
    with HubServer(tmp_path_factory.mktemp("hub_home")) as running:
        yield running
    assert not running.errors, "\n".join(running.errors)


@pytest.fixture
def hub_environment(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Sets environment variables, and the client in this process follows: `hub_environment(HF_HUB_OFFLINE="1")`.

    None takes a variable away. The client reads its environment once, when it is imported: its constants, and what
    other modules took from them, are read anew here, in whichever version is installed.
    """

    def put(**values: str | None) -> None:
        for name, value in values.items():
            if value is None:
                monkeypatch.delenv(name, raising=False)
            else:
                monkeypatch.setenv(name, value)
        _follow_environment(monkeypatch)

    return put


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that the client in this process wanted to wait before it tried again; it does not."""
    wanted: list[float] = []
    import huggingface_hub.file_download
    import huggingface_hub.utils._http

    quick = SimpleNamespace(**{name: value for name, value in vars(time).items() if not name.startswith("_")})
    quick.sleep = wanted.append
    for module in (huggingface_hub.file_download, huggingface_hub.utils._http):
        monkeypatch.setattr(module, "time", quick)
    return wanted


@pytest.fixture
def hub(server: HubServer, hub_environment: Callable[..., None], waits: list[float]) -> HubServer:
    """A running Hub that the environment and the client in this process use as anna, with an empty cache.

    See server.py for what it does. Its client tries again at once instead of waiting (`waits` has the seconds), and
    `hub.env` is for processes, which do wait.
    """
    names = ("HF_HUB_DISABLE_IMPLICIT_TOKEN", "HF_OIDC_RESOURCE", "HUGGING_FACE_HUB_TOKEN", "HUGGINGFACE_HUB_CACHE")
    hub_environment(**dict.fromkeys(names), **server.env)
    return server


@pytest.fixture
def fresh_cache(
    hub: HubServer, hub_environment: Callable[..., None], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], Path]:
    """Switches to a new, empty cache and gives its folder; `hub.env` and this process follow."""

    def switch() -> Path:
        hub.home = tmp_path_factory.mktemp("hub_home")
        hub_environment(**hub.env)
        return hub.home / "hub"

    return switch


def _follow_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Reads the client's constants anew and puts each that differs wherever the client keeps it."""
    import huggingface_hub.hf_api
    import huggingface_hub.utils._http as http
    from huggingface_hub import constants

    anew = _executed_anew(constants)
    changed = {
        name: (getattr(constants, name), value)
        for name, value in vars(anew).items()
        if not name.startswith("_") and isinstance(value, str | bool | int | frozenset | type(None))
        if getattr(constants, name) != value
    }
    ours = [each for name, each in list(sys.modules.items()) if name.split(".")[0] == "huggingface_hub"]
    for name, (before, value) in changed.items():
        for module in ours:
            if name in vars(module) and vars(module)[name] == before:
                monkeypatch.setattr(module, name, value)
    monkeypatch.setattr(huggingface_hub.hf_api.api, "endpoint", constants.ENDPOINT)
    if hasattr(http, "_HUB_ORIGINS"):
        monkeypatch.setattr(http, "_HUB_ORIGINS", http._HUB_ORIGINS | {http._url_origin(constants.ENDPOINT)})


def _executed_anew(module: ModuleType) -> Any:
    """A module as it would be if it were imported now; the one that is imported stays."""
    spec = module.__spec__
    assert spec is not None and spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made
