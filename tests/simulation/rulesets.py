"""The rulesets that are simulated: every example, and some that reach what no example uses."""

import random
import re
from pathlib import Path

from schemas.language import Ruleset
from schemas.ruleset import parse

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent / "rules"


def texts() -> dict[str, str]:
    """The text of every ruleset, by its game's name."""
    files = sorted([*(ROOT / "examples").glob("*/*.toml"), *HERE.glob("*.toml")])
    found = [file.read_text() for file in files]
    return {parse(text).game: text for text in found}


def renamed(text: str, game: str) -> str:
    """The same rules for a game of another name."""
    return re.sub(r'^game = "[^"]*"', f'game = "{game}"', text, count=1, flags=re.MULTILINE)


def amended(text: str, chance: random.Random) -> str:
    """The same rules but for the style of the ranks, and what becomes of the ranks of erased players.

    What counts and what is refused stays the same, so that it does not matter at which event they become live.
    """
    text = re.sub(r"^(ranks|erased) = .*\n", "", text, flags=re.MULTILINE)
    # Tiers by per cent ask how many are ahead.
    style = chance.choice(("competition", "ordinal", "modified") + (() if "percent" in text else ("dense",)))
    text = re.sub(r"^(\[boards\.[a-z0-9-]+\])$", rf'\1\nranks = "{style}"', text, flags=re.MULTILINE)
    return re.sub(
        r"^(game = .*)$", rf'\1\nerased = "{chance.choice(("stand", "close"))}"', text, count=1, flags=re.MULTILINE
    )


def rules_of(text: str) -> Ruleset:
    """A ruleset."""
    return parse(text)
