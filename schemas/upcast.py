"""Old shapes become the present one here, and nowhere else.

`upcast` takes the generic value of a decoded event of version `v` and returns that of version `VERSION`. Every version
that was ever accepted keeps its golden files in tests/golden: what was archived once must decode for ever.
"""

from collections.abc import Callable
from typing import Any

from schemas.errors import InvalidEvent, Problem

VERSION = 1

# From a version to the next one; 1 is the first, so there is nothing to lift yet.
STEPS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {}


def upcast(raw: dict[str, Any]) -> dict[str, Any]:
    """Lifts a generic event to the present version; raises InvalidEvent for a version that never existed."""
    version = raw.get("v", VERSION)
    if type(version) is not int or not 1 <= version <= VERSION:
        raise InvalidEvent(Problem("v", f"this version of Rankfold reads schema versions 1 to {VERSION}"))
    while version < VERSION:
        raw = STEPS[version](raw)
        version = raw["v"]
    return raw
