"""Turns on record as CUDA graphs."""

from __future__ import annotations

import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

from imgen.errors import ImgenError
from imgen.train.graphs import Play, Record, Unrecordable
from imgen.train.play import Derived


@dataclass
class _Graph:
    derived: Derived
    graph: torch.cuda.CUDAGraph

    def replay(self) -> None:
        self.graph.replay()


class CudaGraphs:
    """Records of a GPU.

    Random numbers: the default generator of the device stands in every graph that draws from it. A replay hands the
    graph the generator's seed and offset of now, and moves the offset on by what the graph draws, as the kernels would
    do one by one. So seeding between replays is honoured, and several graphs of one step and eager draws between them
    use up the same numbers as eager play. Recording itself draws nothing. Seeding is refused only while recording.

    Source: torch's "Note [CUDA Graph-safe RNG states]" (ATen/cuda/CUDAGeneratorImpl.h), torch 2.13.
    """

    def __init__(self, device: torch.device) -> None:
        """device: a CUDA device, which may be the current one without a number."""
        self._stream = torch.cuda.Stream(device)
        self._pool = torch.cuda.graph_pool_handle()

    def rehearse(self, play: Play) -> Derived:
        """Play on the stream that records: libraries keep their workspaces by stream."""
        main = torch.cuda.current_stream(self._stream.device)
        # What the other stream frees is used again by it alone, and only after what the main one still does with it.
        self._stream.wait_stream(main)
        with torch.cuda.stream(self._stream):
            derived = play()
        main.wait_stream(self._stream)
        return derived

    def record(self, play: Play) -> Record:
        """Capture a graph. All graphs share memory: what comes of one is used up before the next one is replayed."""
        graph, failed = torch.cuda.CUDAGraph(), None
        try:
            # A failed capture leaves its own stream the current one; the outer `with` does not.
            with torch.cuda.stream(self._stream), self._capturing(graph):
                try:
                    derived = play()
                except Exception as error:
                    failed = error
                    raise
        except Exception as error:
            self._clean_up()
            if isinstance(failed, ImgenError):
                raise failed from None  # such as by Ctrl-C
            raise Unrecordable(_told(failed or error)) from None
        return _Graph(derived, graph)

    def _capturing(self, graph: torch.cuda.CUDAGraph) -> torch.cuda.graph:
        # This thread alone is watched: those of the loader may pin memory meanwhile, and NCCL's may look at events.
        return torch.cuda.graph(graph, pool=self._pool, stream=self._stream, capture_error_mode="thread_local")

    def _clean_up(self) -> None:
        """Put right what torch leaves behind of a capture that failed."""
        # It has not told the allocator that the capture is over, unless it was Python alone that failed.
        with suppress(RuntimeError):
            torch._C._cuda_endAllocateToPool(self._stream.device_index, self._pool)
            torch._C._cuda_releasePool(self._stream.device_index, self._pool)
        self._pool = torch.cuda.graph_pool_handle()
        # Nor the generator, up to torch 2.12 (`capturing_`): it would refuse to draw. The end of a capture that goes
        # well sets it right, seed and offset as they were, and graphs of before stay good.
        with torch.cuda.stream(self._stream), self._capturing(torch.cuda.CUDAGraph()):
            torch.zeros(1, device=self._stream.device)


def _told(error: BaseException) -> str:
    """An error in one line, with the author's own line where it is known."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = (str(Path(torch.__file__).parent), str(Path(__file__).parent))
    theirs = [frame for frame in frames if not frame.filename.startswith(ours)]
    place = f" ({Path(theirs[-1].filename).name}:{theirs[-1].lineno})" if theirs else ""
    first = next((line for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return f"{first[:200]}{place}"
