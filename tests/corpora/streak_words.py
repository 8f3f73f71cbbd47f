"""The names of streaks in words ("top flight, consecutive wins") as conditions: which marks there are, and which add."""

import re
from dataclasses import dataclass
from typing import Any, NamedTuple

Where = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """What a name asks for: of the marks that meet `scope`, in a row, those that meet `adds`.

    With `first_season` only the entrant's first season counts.
    """

    scope: Where
    adds: Where
    first_season: bool = False


class UnknownWordsError(ValueError):
    """The name has words that mean nothing here."""


class _Words(NamedTuple):
    """Words that stand for conditions."""

    pattern: str
    where: Where


FIRST_SEASON = r"(?:from|in|during|of)?(?: the| its| their)? first season"
FILLERS = r"consecutive|in a row|match(?:es)?|games?|races?|league|record|longest|runs?|streaks?|the|of|from|in|a|and"
MATCH_SCOPES = (
    _Words(r"top[- ](?:flight|division|tier)", {"division": "1"}),
    _Words(r"regular[- ]season", {"playoff": "0"}),
    _Words(r"play-?offs?|postseason", {"playoff": "1"}),
    _Words(r"(?:at )?home", {"venue": "home"}),
    _Words(r"away", {"venue": "away"}),
)
MATCH_KINDS = (
    _Words(r"unbeaten|undefeated|(?:without|no) (?:a )?(?:defeats?|loss|losses)", {"verdict": ["win", "draw"]}),
    _Words(r"winless|(?:without|no) (?:a )?(?:wins?|victory|victories)", {"verdict": ["loss", "draw"]}),
    _Words(r"(?:without|no) (?:a )?(?:draws?|ties?)", {"verdict": ["win", "loss"]}),
    _Words(r"clean sheets?|without conceding(?: a goal)?", {"conceded": 0}),
    _Words(r"scoreless|goalless|without scoring(?: a goal)?|failed to score", {"scored": 0}),
    _Words(r"scoring|scored(?: in)?", {"scored": {"min": 1}}),
    _Words(r"wins?|won|winning|victor(?:y|ies)", {"verdict": "win"}),
    _Words(r"loss|losses|losing|lost|defeats?|defeated", {"verdict": "loss"}),
    _Words(r"draws?|drawn|drawing|ties?|tied", {"verdict": "draw"}),
)
RACE_KINDS = (
    _Words(r"podiums?(?: finishes)?|top[- ](?:three|3)(?: finishes)?", {"position": {"max": 3}}),
    _Words(r"points(?: finishes)?|points[- ]scoring(?: finishes)?|scoring", {"scored": True}),
    _Words(r"poles?(?: positions?)?", {"grid": 1}),
    _Words(r"fastest laps?", {"fastest_lap": True}),
    _Words(r"finishes|finished|classified(?: finishes)?", {"position": {"exists": True}}),
    _Words(r"starts|started|entries", {"started": True}),
    _Words(r"wins?|won|winning|victor(?:y|ies)", {"position": 1}),
)


def of_matches(words: str) -> Asked:
    """What a streak of matches between two sides is; raises UnknownWordsError."""
    return _read(words, MATCH_SCOPES, MATCH_KINDS)


def of_races(words: str) -> Asked:
    """What a streak of races is; raises UnknownWordsError."""
    return _read(words, (), RACE_KINDS)


def _read(words: str, scopes: tuple[_Words, ...], kinds: tuple[_Words, ...]) -> Asked:
    left, first_season = _take(words.lower(), FIRST_SEASON)
    scope: Where = {}
    for pattern, where in scopes:
        left, found = _take(left, pattern)
        scope |= where if found else {}
    named = []
    for pattern, where in kinds:
        left, found = _take(left, pattern)
        named += [where] if found else []
    left, _ = _take(re.sub("[-,;:]", " ", left), FILLERS)
    if len(named) != 1 or left.strip():
        reason = f"nothing is known of {left.split()}" if left.strip() else "it must say one thing that is in a row"
        raise UnknownWordsError(f"{words!r}: {reason}")
    return Asked(scope, named[0], first_season)


def _take(words: str, pattern: str) -> tuple[str, bool]:
    """The words without those of the pattern, and whether there were any."""
    left = re.sub(rf"(?<![\w])(?:{pattern})(?![\w])", " ", words)
    return left, left != words
