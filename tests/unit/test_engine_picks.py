"""Picks: grades, policies, stakes and guesses, one rule a test."""

from typing import Any

import pytest

from engine.rules import Game
from schemas.errors import InvalidRuleset, Problem
from schemas.ruleset import parse
from tests.given import Fields, decoded, fixture, given, pick, result, rules, score

WON = 'wins = { op = "count", where = { verdict = "win" } }'
LOST = 'losses = { op = "count", where = { verdict = "loss" } }'
OPEN_MS = 1_000_000


def pool(source: str = "grades = [{ points = 1 }]", *, more: str = "", board: str = "", scale: int = 0) -> str:
    """Rules with one source of picks and a board of points, wins and losses."""
    return rules(
        board,
        metrics=f'points = {{ op = "sum", of = "points" }}\n{WON}\n{LOST}',
        declared=f'[metrics.points]\nscale = {scale}\n[sources.picks]\norigin = "picks"\n{source}\n{more}',
    )


def match(name: str = "f", round_: str | int = 1, starts: int = OPEN_MS, **fields: Any) -> Fields:
    return fixture(name, round_, starts, **fields)


def winner(*choices: str, of: str = "f", market: str = "winner", **fields: Any) -> Fields:
    return result(of, outcomes={market: list(choices)}, **fields)


def scored(home: int, away: int, of: str = "f", **fields: Any) -> Fields:
    return result(of, score=[home, away], **fields)


def test_a_choice_in_the_outcome_wins_and_others_lose() -> None:
    given(pool("grades = [{ points = 3 }]\nwrong = -1")).events(
        match(), pick("a", "f", "red"), pick("b", "f", "blue"), pick("c", "f", ["green", "red"]), winner("red")
    ).then.board().is_([(1, "a", 3, 1, 0), (1, "c", 3, 1, 0), (3, "b", -1, 0, 1)])


def test_nothing_is_given_before_the_result() -> None:
    assert given(pool()).events(match(), pick("a", "f", "red")).then.board().lines == []


def test_an_outcome_may_have_several_right_choices_or_none() -> None:
    given(pool()).events(
        match(), pick("a", "f", "red"), pick("b", "f", "blue"), pick("c", "f", "green"), winner("red", "blue")
    ).then.board().is_([(1, "a", 1, 1, 0), (1, "b", 1, 1, 0), (3, "c", 0, 0, 1)])
    given(pool()).events(match(), pick("a", "f", "red"), winner()).then.board().is_([(1, "a", 0, 0, 1)])


SCORES = """grades = [
    { when = "exact", points = 5 }, { when = "difference", points = 3 }, { when = "tendency", points = 2 }]"""


def test_the_first_grade_that_holds() -> None:
    picks = {"exact": "2-1", "difference": "3-2", "tendency": "4-0", "wrong": "1-1", "away": "0-1"}
    given(pool(SCORES)).events(
        match(), *(pick(name, "f", choice) for name, choice in picks.items()), scored(2, 1)
    ).then.board().is_(
        [
            (1, "exact", 5, 1, 0),
            (2, "difference", 3, 1, 0),
            (3, "tendency", 2, 1, 0),
            (4, "away", 0, 0, 1),
            (4, "wrong", 0, 0, 1),
        ]
    )


def test_the_sum_of_all_grades_that_hold() -> None:
    given(pool(f'{SCORES}\ngrading = "sum"')).events(
        match(), pick("a", "f", "2-2"), pick("b", "f", "1-1"), pick("c", "f", "2-1"), scored(2, 2)
    ).then.board().is_([(1, "a", 10, 1, 0), (2, "b", 5, 1, 0), (3, "c", 0, 0, 1)])


def test_a_tendency_may_be_picked_by_name() -> None:
    given(pool('grades = [{ when = "tendency" }]')).events(
        match(), pick("a", "f", "draw"), pick("b", "f", "0-0"), pick("c", "f", "home"), scored(3, 3)
    ).then.board().is_([(1, "a", 1, 1, 0), (1, "b", 1, 1, 0), (3, "c", 0, 0, 1)])


def test_a_probability_costs_the_square_of_its_distance() -> None:
    source = 'grades = [{ when = "probability", option = "red", points = 25, penalty = 100 }]'
    given(pool(source, scale=2)).events(
        match(),
        *(
            pick(name, "f", choice)
            for name, choice in {"a": "1", "b": "0.75", "c": "0.5", "d": "0", "e": "0.123"}.items()
        ),
        winner("red"),
    ).then.board().is_(
        [
            (1, "a", "25.00", 1, 0),
            (2, "b", "18.75", 1, 0),
            (3, "c", "0.00", 0, 0),
            (4, "e", "-51.91", 0, 1),
            (5, "d", "-75.00", 0, 1),
        ]
    )
    given(pool(source, scale=2)).events(match(), pick("a", "f", "0.25"), winner("blue")).then.board().is_(
        [(1, "a", "18.75", 1, 0)]
    )


def test_stakes_multiply_what_is_won_and_lost() -> None:
    source = "grades = [{ points = 2 }]\nwrong = -1\nstakes = { min = 0.5, max = 10, default = 2 }"
    given(pool(source, scale=1)).events(
        match(),
        pick("a", "f", "red", stake="3"),
        pick("b", "f", "red"),
        pick("c", "f", "blue", stake=0.5),
        pick("d", "f", "blue", stake=10),
        winner("red"),
    ).then.board().is_([(1, "a", "6.0", 1, 0), (2, "b", "4.0", 1, 0), (3, "c", "-0.5", 0, 1), (4, "d", "-10.0", 0, 1)])


def test_markets_of_a_fixture_are_settled_each_by_its_outcome() -> None:
    more = '[sources.scorer]\norigin = "picks"\nmarket = "scorer"\ngrades = [{ points = 10 }]'
    events = (
        match(),
        pick("a", "f", "red"),
        pick("a", "f", "kim", market="scorer"),
        pick("b", "f", "x", market="scorer"),
    )
    given(pool(more=more)).events(*events, winner("red")).then.board().is_([(1, "a", 1, 1, 0)])
    both = winner("red", revision=2) | {"outcomes": {"winner": ["red"], "scorer": ["kim", "lee"]}}
    given(pool(more=more)).events(*events, winner("red"), both).then.board().is_(
        [(1, "a", 11, 2, 0), (2, "b", 0, 0, 1)]
    )


def test_a_grade_may_look_at_another_outcome() -> None:
    source = 'grades = [{ points = 5 }, { points = 2, outcome = "podium" }]'
    given(pool(source)).events(
        match(), *(pick(name, "f", name) for name in "abcd"), result("f", outcomes={"winner": ["a"], "podium": ["a", "b", "c"]})
    ).then.board().is_([(1, "a", 5, 1, 0), (2, "b", 2, 1, 0), (2, "c", 2, 1, 0), (4, "d", 0, 0, 1)])  # fmt: skip


def test_a_source_may_choose_contests_by_their_attributes() -> None:
    more = '[sources.final]\norigin = "picks"\nwhere = { kind = "final" }\ngrades = [{ points = 2 }]'
    given(pool('where = { kind = "group" }\ngrades = [{ points = 1 }]', more=more)).events(
        match("f", attributes={"kind": "group"}),
        match("g", attributes={"kind": "final"}),
        match("h"),
        *(pick("a", name, "red") for name in "fgh"),
        *(winner("red", of=name) for name in "fgh"),
    ).then.board().is_([(1, "a", 3, 2, 0)])


@pytest.mark.parametrize("status", ["push", "void", "abandoned"])
@pytest.mark.parametrize(
    ("policy", "line"), [("hold", None), ("zero", (1, "a", 0, 0, 0)), ("lose", (1, "a", -2, 0, 1))]
)
def test_policies_for_contests_that_were_not_played_out(status: str, policy: str, line: tuple[Any, ...] | None) -> None:
    source = f'grades = [{{ points = 3 }}]\nwrong = -1\nstakes = {{}}\n{status} = "{policy}"'
    then = given(pool(source)).events(match(), pick("a", "f", "red", stake=2), result("f", status=status)).then
    then.board().is_([] if line is None else [line])


def test_pushed_and_void_contests_have_verdicts_of_their_own() -> None:
    text = rules(
        metrics="\n".join(
            f'{name} = {{ op = "count", where = {{ verdict = "{name}" }} }}' for name in ("push", "void")
        ),
        rank_by='["push"]',
        declared='[metrics.points]\n[sources.p]\norigin = "picks"\ngrades = [{}]\nvoid = "zero"\nabandoned = "zero"',
    )
    events = [match(name) for name in "fgh"] + [pick("a", name, "x") for name in "fgh"]
    statuses = zip("fgh", ("push", "void", "abandoned"), strict=True)
    given(text).events(*events, *(result(name, status=status) for name, status in statuses)).then.board().is_(
        [(1, "a", 1, 2)]
    )


@pytest.mark.parametrize(
    ("missing", "line"),
    [
        ('"hold"', []),
        ('"zero"', [(2, "b", 0, 0, 0)]),
        ('"lose"', [(2, "b", -1, 0, 1)]),
        ('"default"\ndefault = "blue"', [(2, "b", -1, 0, 1)]),
        ('"default"\ndefault = "red"', [(1, "b", 1, 1, 0)]),
    ],
)
def test_who_took_part_and_did_not_pick(missing: str, line: list[Any]) -> None:
    rules_ = pool(f"grades = [{{ points = 1 }}]\nwrong = -1\nmissing = {missing}")
    then = given(rules_).events(
        match("g", starts=OPEN_MS * 3),
        match(),
        pick("a", "f", "red"),
        pick("b", "g", "red"),
        pick("late", "g", "red", at=OPEN_MS),
        winner("red"),
    ).then  # fmt: skip
    then.board().is_(sorted([(1, "a", 1, 1, 0), *line]))


@pytest.mark.parametrize(("policy", "expected"), [("zero", ["a"]), ("hold", []), ("lose", ["a", "b"])])
def test_a_contest_not_played_out_excuses_who_missed_it_unless_it_is_lost(policy: str, expected: list[str]) -> None:
    then = (
        given(pool(f'grades = [{{}}]\nmissing = "lose"\nvoid = "{policy}"'))
        .events(match(), match("g"), pick("a", "f", "x"), pick("b", "g", "x"), result("f", status="void"))
        .then
    )
    assert [line[1] for line in then.board().lines] == expected


GUESS = """
[sources.total]
origin = "picks"
market = "total"
metric = "off"
over = "over"
guess = "{kind}"
"""


def guesses(kind: str) -> str:
    """Winners, then the closest guess, then the guess below."""
    sources = f'[sources.p]\norigin = "picks"\ngrades = [{{}}]{GUESS.format(kind=kind)}'
    return rules(
        rank_by='["wins desc", "off asc", "over asc"]',
        metrics=f'{WON}\noff = {{ op = "min", of = "off" }}\nover = {{ op = "max", of = "over" }}',
        declared=f"[metrics.points]\n[metrics.off]\nscale = 1\n[metrics.over]\n{sources}",
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("absolute", [(1, "b", 1, "1.5", 0), (2, "d", 1, "2.0", 0), (3, "a", 1, "2.0", 1), (4, "c", 0, "0.0", 0)]),
        ("not_over", [(1, "b", 1, "1.5", 0), (2, "d", 1, "2.0", 0), (3, "a", 1, None, 1), (4, "c", 0, "0.0", 0)]),
    ],
)
def test_tie_break_guesses(kind: str, expected: list[Any]) -> None:
    numbers = {"a": "49", "b": "45.5", "c": "47", "d": "45"}
    given(guesses(kind)).events(
        match(),
        *(pick(name, "f", "blue" if name == "c" else "red") for name in numbers),
        *(pick(name, "f", number, market="total") for name, number in numbers.items()),
        result("f", outcomes={"winner": ["red"], "total": ["47"]}),
    ).then.board().is_(expected)


def test_marks_say_what_was_picked() -> None:
    then = given(pool("grades = [{}]\nstakes = {}\nmissing = 'lose'")).events(
        match(attributes={"kind": "cup"}), match("g"), pick("a", "f", ["x", "y"], stake=2), pick("b", "g", "x"), winner("y")
    ).then  # fmt: skip
    rows = then.state.tables["b", "all", ""].rows
    [mine], [missed] = rows["a"].state, rows["b"].state
    assert mine.origin == missed.origin == "f"
    assert mine.attributes == {"kind": "cup", "choice": "x, y", "stake": 2, "verdict": "win"}
    assert missed.attributes == {"kind": "cup", "missing": True, "verdict": "loss"}


def problems(text: str, event: Fields) -> list[Problem]:
    return Game(parse(text)).check(decoded("g", [event])[0])


CHECKED: dict[str, tuple[str, Fields, list[str]]] = {
    "no market": (pool(), pick("a", "f", "x"), []),
    "unknown market": (pool(), pick("a", "f", "x", market="other"), ["market"]),
    "no picks": (rules(), pick("a", "f", "x"), ["market"]),
    "a score": (pool(SCORES), pick("a", "f", "12-0"), []),
    "no score": (pool(SCORES), pick("a", "f", "home"), ["choice"]),
    "negative": (pool(SCORES), pick("a", "f", "-2-1"), ["choice"]),
    "two scores": (pool(SCORES), pick("a", "f", ["2-1", "1-1"]), ["choice"]),
    "a word": (pool('grades = [{ when = "tendency" }]'), pick("a", "f", "away"), []),
    "another word": (pool('grades = [{ when = "tendency" }]'), pick("a", "f", "red"), ["choice"]),
    "a probability": (pool('grades = [{ when = "probability", option = "x" }]'), pick("a", "f", "1.0"), []),
    "too probable": (pool('grades = [{ when = "probability", option = "x" }]'), pick("a", "f", "1.01"), ["choice"]),
    "no stakes": (pool(), pick("a", "f", "x", stake=1), ["stake"]),
    "staked": (pool("grades = [{}]\nstakes = { max = 5 }"), pick("a", "f", "x", stake="4.5"), []),
    "too little": (pool("grades = [{}]\nstakes = { max = 5 }"), pick("a", "f", "x", stake=0), ["stake"]),
    "too much": (pool("grades = [{}]\nstakes = { max = 5 }"), pick("a", "f", "x", stake="5.5"), ["stake"]),
    "a guess": (guesses("under"), pick("a", "f", "47.5", market="total"), []),
    "no number": (guesses("under"), pick("a", "f", "1e9", market="total"), ["choice"]),
    "the number": (guesses("under"), result("f", outcomes={"total": ["47"], "winner": ["x"]}), []),
    "no such number": (guesses("under"), result("f", outcomes={"total": ["many"]}), ["outcomes.total"]),
    "two numbers": (guesses("under"), result("f", outcomes={"total": ["4", "7"]}), ["outcomes.total"]),
}


@pytest.mark.parametrize("name", CHECKED)
def test_what_the_rules_alone_can_say_of_a_pick(name: str) -> None:
    text, event, fields = CHECKED[name]
    assert [problem.field for problem in problems(text, event)] == fields


REFUSED: dict[str, tuple[str, str]] = {
    "entrant": ('grades = [{}]\nentrant = "team"', "entrant"),
    "nothing": ("wrong = 1", "grades"),
    "both": ('grades = [{}]\nguess = "under"', "grades"),
    "default alone": ('grades = [{}]\ndefault = "x"', "default"),
    "no default": ('grades = [{}]\nmissing = "default"', "default"),
    "bad default": (f'{SCORES}\nmissing = "default"\ndefault = "x"', "default"),
    "never missing": ('grades = [{}]\nmissing = "lose"\nlock = { at = "never" }', "missing"),
    "never minus": ('grades = [{}]\nlock = { at = "never", minutes = 5 }', "lock.minutes"),
    "before": ("grades = [{}]\nlock = { minutes = -5 }", "lock.minutes"),
    "guess lost": ('guess = "under"\nmissing = "lose"', "missing"),
    "guess staked": ('guess = "under"\nstakes = {}', "stakes"),
    "guess wrong": ('guess = "under"\nwrong = 1', "wrong"),
    "guess void": ('guess = "under"\nvoid = "lose"', "void"),
    "over": ('grades = [{}]\nover = "points"', "over"),
    "over itself": ('guess = "under"\nover = "points"', "over"),
    "option": ('grades = [{ option = "x" }]', "grades[0].option"),
    "no option": ('grades = [{ when = "probability" }]', "grades[0].option"),
    "outcome of a score": ('grades = [{ when = "exact", outcome = "x" }]', "grades[0].outcome"),
    "penalty": ("grades = [{ penalty = 1 }]", "grades[0].penalty"),
    "stakes": ("grades = [{}]\nstakes = { min = 2, default = 1 }", "stakes"),
    "market": ('grades = [{}]\nmarket = "A B"', "market"),
    "metric": ('grades = [{}]\nmetric = "other"', "metric"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_rules_that_contradict_themselves(name: str) -> None:
    source, field = REFUSED[name]
    with pytest.raises(InvalidRuleset) as raised:
        parse(pool(source))
    assert f"sources.picks.{field}" in [problem.field for problem in raised.value.problems]


def test_a_game_with_picks_may_have_scores_too() -> None:
    more = '[sources.score]\norigin = "score"'
    given(pool(more=more)).events(match(), pick("a", "f", "x"), score("a", points=5), winner("x")).then.board().is_(
        [(1, "a", 6, 1, 0)]
    )
