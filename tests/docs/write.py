"""Write the generated parts of the documentation anew: `python tests/docs/write.py`, or `make docs`.

With `--api` the list of public names is written, too: what stands in it is promised, so read what changes.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from written.pages import PAGES, ROOT, filled


def main(argv: list[str]) -> None:
    """Write every page that differs, and say which."""
    from written import api
    from written.parts import parts

    if "--api" in argv:
        api.FROZEN.write_text(api.listed(), encoding="utf8")
    for page in PAGES:
        text = filled(page, parts())
        if text != page.read_text(encoding="utf8"):
            page.write_text(text, encoding="utf8")
            print(f"wrote {page.relative_to(ROOT)}")


if __name__ == "__main__":
    main(sys.argv[1:])
