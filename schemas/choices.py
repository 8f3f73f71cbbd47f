"""Choices: the forms that a pick's choice may have, by what its source does with it."""

import re
from fractions import Fraction

from schemas.language import PicksSource

TENDENCIES = ("home", "draw", "away")
SCORE_RULE = "a score such as 2-1"
TENDENCY_RULE = "a score such as 2-1, or one of home, draw, away"
NUMBER_RULE = "a number such as 47 or 47.5"
PROBABILITY_RULE = "a number from 0 to 1"

_SCORE = re.compile(r"(\d{1,5})-(\d{1,5})", re.ASCII)
_NUMBER = re.compile(r"[+-]?\d{1,15}(\.\d{1,12})?", re.ASCII)


def score_of(text: str) -> tuple[int, int] | None:
    """(home, away) of a score such as "2-1"; None for anything else."""
    found = _SCORE.fullmatch(text)
    return None if found is None else (int(found[1]), int(found[2]))


def number_of(text: str) -> Fraction | None:
    """The exact value of a decimal number without exponent; None for anything else."""
    return Fraction(text) if _NUMBER.fullmatch(text) else None


def tendency(home: int, away: int) -> str:
    """Which of the tendencies a score is."""
    return "draw" if home == away else ("home" if home > away else "away")


def tendency_of(text: str) -> str | None:
    """The tendency that a choice names, by word or by a score."""
    score = score_of(text)
    if score is not None:
        return tendency(*score)
    return text if text in TENDENCIES else None


def choice_rule(source: PicksSource, choices: list[str]) -> str | None:
    """The rule that a pick's choices break, or None when every grade of the source can read them."""
    kinds = {grade.when for grade in source.grades}
    if source.guess is None and kinds == {"choice"}:
        return None
    [text] = choices if len(choices) == 1 else [""]
    if source.guess is not None:
        return None if number_of(text) is not None else NUMBER_RULE
    if kinds & {"exact", "difference"} and score_of(text) is None:
        return SCORE_RULE
    if "tendency" in kinds and tendency_of(text) is None:
        return TENDENCY_RULE
    if "probability" in kinds:
        number = number_of(text)
        return None if number is not None and 0 <= number <= 1 else PROBABILITY_RULE
    return None
