"""Writes the tables of docs/rulesets.md anew with --write; else says whether they are as the structs are."""

import sys
from pathlib import Path

from tests.rulesetdoc.render import filled

DOCUMENT = Path(__file__).parents[2] / "docs" / "rulesets.md"


def main(*, write: bool) -> int:
    """0 when the document is, or now is, up to date; 1 when it is not."""
    text = DOCUMENT.read_text(encoding="utf-8")
    fresh = filled(text)
    if write:
        DOCUMENT.write_text(fresh, encoding="utf-8")
    elif fresh != text:
        print("docs/rulesets.md differs from the structs: python -m tests.rulesetdoc --write", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(write="--write" in sys.argv[1:]))
