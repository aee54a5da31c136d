"""Memory that stays with the process while it trains."""

from __future__ import annotations

import textwrap

import pytest

from imgen.train import memory

COUNT = """\
    import resource, sys
    import torch
    from contextlib import nullcontext
    from imgen.train import memory

    def faults(times):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for _ in range(times):
            torch.zeros(48 * 2**20, dtype=torch.uint8)
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    with memory.kept() if sys.argv[1] == "kept" else nullcontext():
        faults(12)
        inside = faults(4)
    print(inside, faults(4))
"""


@pytest.mark.skipif(memory._glibc() is None, reason="this C library is not glibc")
def test_pages_are_cleared_once_and_not_at_every_step(process):
    """48 MiB are 12,288 pages of 4 KiB, which the system would clear for each tensor anew."""
    told = {}
    for way in ("kept", "usual"):
        ran = process("-c", textwrap.dedent(COUNT), way)
        out, err = ran.communicate(timeout=60)
        assert ran.returncode == 0, err
        told[way] = [int(word) for word in out.split()]
    (inside, after), (usual, _) = told["kept"], told["usual"]
    assert usual > 4 * 1000, "huge pages or small ones, glibc returns them"
    assert inside < usual / 10
    assert after > usual / 4, "afterwards memory is returned again"


def test_other_c_libraries_are_left_alone(monkeypatch):
    class Other:
        """Has `mallopt`, and is not glibc."""

        def mallopt(self, parameter, value):
            raise AssertionError("what this does elsewhere is not known")

    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: Other())
    with memory.kept():
        pass
