"""`python -m imgen`, which is also what `torchrun -m imgen` starts."""

import sys

from imgen.cli import main

if __name__ == "__main__":
    sys.exit(main())
