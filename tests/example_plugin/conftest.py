"""imgen's own test run passes this folder by, for the plugin is not installed there."""

from __future__ import annotations

from importlib.util import find_spec

collect_ignore = [] if find_spec("imgen_toy_dcgan") else ["tests"]
