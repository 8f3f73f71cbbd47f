"""What the struct of a picks source cannot say: which of its keys go together."""

from collections.abc import Iterator

from schemas.checks import NAME_RULE, good_name
from schemas.choices import choice_rule
from schemas.errors import Problem
from schemas.language import Grade, PicksSource

MINUTES_MAX = 100_000


def picks_problems(at: str, source: PicksSource) -> Iterator[Problem]:
    """Everything that is wrong about a picks source, apart from the metrics that it names."""
    if source.market is not None and not good_name(source.market):
        yield Problem(f"{at}.market", NAME_RULE)
    if source.entrant is not None:
        yield Problem(f"{at}.entrant", "picks count for the player who made them")
    if bool(source.grades) == bool(source.guess):
        yield Problem(f"{at}.grades", "picks have either grades or a guess")
    for index, grade in enumerate(source.grades):
        yield from _grade_problems(f"{at}.grades[{index}]", grade)
    yield from _missing_problems(at, source)
    yield from _guess_problems(at, source)
    if not 0 <= source.lock.minutes <= MINUTES_MAX:
        yield Problem(f"{at}.lock.minutes", f"0 to {MINUTES_MAX} minutes")
    if source.lock.minutes and source.lock.at == "never":
        yield Problem(f"{at}.lock.minutes", "before what? There is no lock")
    stakes = source.stakes
    if stakes is not None and (stakes.default < stakes.min or (stakes.max is not None and stakes.max < stakes.default)):
        yield Problem(f"{at}.stakes", "min is not above default, and default not above max")


def _grade_problems(at: str, grade: Grade) -> Iterator[Problem]:
    if (grade.when == "probability") != (grade.option is not None):
        yield Problem(f"{at}.option", 'belongs to when = "probability", which needs it')
    if grade.outcome is not None and grade.when not in ("choice", "probability"):
        yield Problem(f"{at}.outcome", "this grade looks at the score, not at an outcome")
    if grade.penalty and grade.when != "probability":
        yield Problem(f"{at}.penalty", 'belongs to when = "probability"')


def _missing_problems(at: str, source: PicksSource) -> Iterator[Problem]:
    if (source.missing == "default") != (source.default is not None):
        yield Problem(f"{at}.default", 'the choice for missing = "default", and only for that')
    rule = choice_rule(source, [source.default]) if source.default is not None else None
    if rule is not None:
        yield Problem(f"{at}.default", rule)
    if source.missing != "hold" and source.lock.at == "never":
        yield Problem(f"{at}.missing", "nobody has missed what never locks")


def _guess_problems(at: str, source: PicksSource) -> Iterator[Problem]:
    if source.over is not None and source.guess is None:
        yield Problem(f"{at}.over", "only a guess has this")
    if source.over is not None and source.over == source.metric:
        yield Problem(f"{at}.over", "another metric than the distance")
    if source.guess is None:
        return
    if source.missing not in ("hold", "default"):
        yield Problem(f"{at}.missing", "who did not guess has no distance: hold, or a default")
    for key in ("stakes", "wrong"):
        if getattr(source, key):
            yield Problem(f"{at}.{key}", "belongs to grades")
    for key, policy in {"push": source.push, "void": source.void, "abandoned": source.abandoned}.items():
        if policy == "lose":
            yield Problem(f"{at}.{key}", "a guess is neither won nor lost")
