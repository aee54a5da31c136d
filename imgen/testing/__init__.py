"""The contracts of algorithms, models and data sets, as checks for anyone's test suite.

Each check raises an `AssertionError` that says what is wrong and what would be right. Give them small settings and
small pictures: they train a few steps on the CPU.
"""

from __future__ import annotations

from imgen.testing.algorithms import check_algorithm
from imgen.testing.datasets import check_dataset
from imgen.testing.models import check_model
from imgen.testing.settings import check_settings

__all__ = ["check_algorithm", "check_dataset", "check_model", "check_settings"]
