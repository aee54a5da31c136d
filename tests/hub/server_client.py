"""What the tests of the Hub for tests let its client do."""

from __future__ import annotations

import random

import huggingface_hub
import pytest
from huggingface_hub import CommitOperationAdd as Add
from huggingface_hub import HfApi, create_repo
from server import HubServer, Repository

# Clients before 1.24 give up where a connection ends too early, try less often, and send by LFS where Xet is absent.
lately = pytest.mark.skipif(
    tuple(map(int, huggingface_hub.__version__.split(".")[:2])) < (1, 24), reason="clients before 1.24 do less"
)
WEIGHTS = random.Random(0).randbytes(200_000)
CARD = b"---\nlicense: mit\n---\nWords\n"


def fill(hub: HubServer) -> Repository:
    """The repository anna/faces, which the client makes and fills."""
    create_repo("anna/faces")
    files = {"model.safetensors": WEIGHTS, "config.json": b"{}", "README.md": CARD, "sheets/fixed.png": b"\x89PNG\0"}
    HfApi().create_commit(
        "anna/faces", operations=[Add(name, content) for name, content in files.items()], commit_message="First"
    )
    return hub.repos["anna/faces"]


def commit(api: HfApi | None = None, *, parent: str | None = None, **files: bytes) -> str:
    """Commits files to anna/faces and gives the commit's oid. files: two underscores stand for the dot of a name"""
    done = (api or HfApi()).create_commit(
        "anna/faces",
        operations=[Add(name.replace("__", "."), content) for name, content in files.items()],
        commit_message="Next",
        parent_commit=parent,
    )
    return done.oid
