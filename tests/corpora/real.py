"""Where the real corpora are, for the tests that need one."""

import os
from pathlib import Path

import pytest

MISSING = "RANKFOLD_CORPORA is not set: what was published is not part of this repository"


def real_corpus(name: str) -> Path:
    """The folder of a corpus; without the corpora the test is skipped, in continuous integration it fails."""
    root = os.environ.get("RANKFOLD_CORPORA")
    if not root:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    return Path(root) / name
