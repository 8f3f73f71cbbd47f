"""The rulesets that are simulated: every example, and some that reach what no example uses."""

import contextlib
import re
from pathlib import Path

from schemas.errors import InvalidRuleset
from schemas.language import Ruleset
from schemas.ruleset import parse

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "rules"


def texts() -> dict[str, str]:
    """The text of every ruleset, by its game's name."""
    files = sorted([*(ROOT / "examples").glob("*/*.toml"), *HERE.glob("*.toml")])
    found = [file.read_text() for file in files]
    return {parse(text).game: text for text in found}


def spread_texts() -> dict[str, str]:
    """The rulesets of games that can be spread, spread, without what keeps some of them from it."""
    found = {}
    for text in texts().values():
        spread = re.sub(r'^ranks = "dense"\n|^movement = .*\n', "", text, flags=re.MULTILINE)
        spread = re.sub(r"^game = ", "spread = true\ngame = ", spread, count=1, flags=re.MULTILINE)
        with contextlib.suppress(InvalidRuleset):
            found[parse(spread).game] = spread
    return found


def renamed(text: str, game: str) -> str:
    """The same rules for a game of another name."""
    return re.sub(r'^game = "[^"]*"', f'game = "{game}"', text, count=1, flags=re.MULTILINE)


def rules_of(text: str) -> Ruleset:
    """A ruleset."""
    return parse(text)
