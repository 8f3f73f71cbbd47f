"""Reads a ruleset's text: `parse` gives a checked ruleset, or every problem at once, with the line where it can."""

import tomllib

import msgspec

from schemas.codec import problem_of
from schemas.errors import InvalidRuleset, Problem
from schemas.language import Ruleset
from schemas.lines import with_line
from schemas.rulecheck import number_problems_of, ruleset_problems

RULESET_BYTES_MAX = 200_000


def parse(text: str, *, game: str | None = None) -> Ruleset:
    """A checked ruleset from TOML; raises InvalidRuleset with every problem found.

    `game`, when given, is the game that the text must be for.
    """
    if len(text.encode("utf-8", "replace")) > RULESET_BYTES_MAX:
        raise InvalidRuleset(Problem("", f"a ruleset is at most {RULESET_BYTES_MAX} bytes"))
    try:
        raw = tomllib.loads(text, parse_float=_decimal)
    except (tomllib.TOMLDecodeError, RecursionError, ValueError) as error:
        raise InvalidRuleset(Problem("", f"not valid TOML: {error}")) from None
    try:
        rules = msgspec.convert(raw, Ruleset)
    except msgspec.ValidationError as error:
        raise InvalidRuleset(with_line(problem_of(error, Ruleset), text)) from None
    problems = list(number_problems_of("", rules)) or list(ruleset_problems(rules))
    if game is not None and rules.game != game:
        problems.append(Problem("game", f"this ruleset is for {rules.game!r}, not for {game!r}"))
    if problems:
        raise InvalidRuleset(*(with_line(problem, text) for problem in problems))
    return rules


def _decimal(text: str) -> str:
    """TOML floats stay text until msgspec makes exact decimals of them."""
    return text.replace("_", "")
