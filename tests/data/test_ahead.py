"""What is sent ahead of use arrives as it is, and the streams of a GPU are told of each other."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from imgen.data.ahead import Courier, Sent


def test_on_a_cpu_things_stay_where_they_are():
    courier = Courier(torch.device("cpu"))
    room = courier.room((2, 3), torch.uint8)
    assert (room.shape, room.dtype, room.is_pinned()) == ((2, 3), torch.uint8, False)
    taken = courier.send({"images": room}).take()
    assert taken["images"] is room, "nothing is copied"


def test_a_stream_waits_for_the_copy_and_keeps_its_memory(monkeypatch):
    """First it waits, and the memory that another stream gave out is noted as in use; the host is told nothing."""
    told = []
    stream = SimpleNamespace(wait_event=lambda event: told.append(("waits for", event)))
    monkeypatch.setattr("torch.cuda.current_stream", lambda device: stream if device == "a GPU" else None)
    moved = SimpleNamespace(device="a GPU", record_stream=lambda user: told.append(("is used by", user)))
    assert Sent({"n": moved}, "its arrival").take() == {"n": moved}
    assert told == [("waits for", "its arrival"), ("is used by", stream)]
