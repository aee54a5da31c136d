"""The one module that imports `huggingface_hub`: where its Hub and its cache are.

Which Hub, where its cache is and whose token is used are that library's own settings: `HF_ENDPOINT`, `HF_HOME`,
`HF_HUB_OFFLINE`, `HF_TOKEN`, `hf auth login`. A token is never read here, printed or kept.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any


def library() -> Any:
    """The library, without its bars where nobody watches and without its own words on standard error."""
    import huggingface_hub
    from huggingface_hub.utils import disable_progress_bars, logging

    logging.set_verbosity_error()
    if not sys.stderr.isatty():
        disable_progress_bars()
    return huggingface_hub


def constants() -> Any:
    """What the library has read from its environment."""
    from huggingface_hub import constants as read

    return read


def endpoint() -> str:
    """The address of the Hub."""
    return str(constants().ENDPOINT)


def offline() -> bool:
    """Whether the user wants no Hub to be asked."""
    return bool(constants().HF_HUB_OFFLINE)


def cache() -> Path:
    """The folder of the standard cache."""
    return Path(constants().HF_HUB_CACHE)
