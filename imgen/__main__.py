"""`python -m imgen`, which `torchrun` starts."""

from __future__ import annotations

import os
import sys

from imgen.cli import main

if __name__ == "__main__":
    status = main()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # Threads of torch's gloo outlive its group here and may let go of a tensor while Python ends, which aborts the
        # process, and with it all others that torchrun started. Everything is written by now.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)
