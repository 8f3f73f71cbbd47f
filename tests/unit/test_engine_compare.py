"""Who is ahead of whom, in words."""

from engine.compare import compare
from tests.given import Fields, given, result, rules, score

LEAGUE = """
game = "g"
[metrics.points]
[sources.league]
origin = "table"
[boards.b]
rank_by = ["points desc", { head_to_head = ["points desc"] }]
metrics.points = { op = "sum", of = "points" }
"""


def words(text: str, one: str, other: str, *events: Fields) -> str:
    rows = given(text).events(*events).then.state.tables["b", "all", ""].rows
    mine, theirs = rows[one].prefix, rows[other].prefix
    assert mine is not None
    assert theirs is not None
    plan = given(text).then.state.game.boards["b"]
    return compare(plan, mine, theirs).words


def match(name: str, home: str, away: str, goals: list[int]) -> list[Fields]:
    planned = {"type": "fixture", "fixture": name, "round": 1, "starts_at": 1, "sides": [home, away]}
    return [planned, {"type": "result", "fixture": name, "score": goals}]


def test_the_first_difference_decides() -> None:
    text = rules(rank_by='["points desc", "runs asc"]', metrics='points = {op="sum", of="points"}\nruns = {op="count"}')
    events = [score("ann", points=9), score("bob", points=4), score("bob", points=5), score("cid", points=-1)]
    assert words(text, "ann", "bob", *events) == "level on points; ahead on runs 1-2"
    assert words(text, "cid", "ann", *events) == "behind on points -1 against 9"


def test_when_it_was_reached() -> None:
    text = rules(rank_by='["points desc", "reached"]')
    events = [score("ann", points=5, at=1_000), score("bob", points=5, at=3_662_000)]
    assert words(text, "ann", "bob", *events) == "level on points; ahead by when that was reached, 1 h 1 min before"


def test_places_and_lots() -> None:
    head = '[sources.r]\norigin = "placements"\npoints = [5, 5, 5]\n'
    text = rules(rank_by='["points desc", { countback = "position", places = 3 }, { lot = 3 }]', head=head)
    events = [result("f", "ann", "bob", "cid"), result("g", "cid", "ann", "bob")]
    assert words(text, "bob", "cid", *events) == "level on points; behind on 1st places 0-1"
    assert words(text, "ann", "cid", *events) == "level on points; ahead on 2nd places 1-0"
    drawn = {
        words(text, *pair, *(result(name, who) for name, who in zip("fg", pair, strict=True))) for pair in ("ab", "ba")
    }
    assert drawn == {f"level on points and countback; {side} by lot" for side in ("ahead", "behind")}


def test_head_to_head() -> None:
    events = [*match("f", "ann", "bob", [1, 0]), *match("g", "cid", "ann", [3, 0]), *match("h", "bob", "dan", [1, 0])]
    assert words(LEAGUE, "ann", "bob", *events) == "level on points; ahead head-to-head on points 3-0"


def test_who_is_level_on_everything_shares_the_place() -> None:
    events = [score("ann", points=1), score("bob", points=1)]
    assert words(rules(), "bob", "ann", *events) == "level on points: the same place, listed by id"
