"""Best placement, series of games, disqualification and what officials decide: placements and matches as contests."""

import pytest

from schemas.errors import InvalidRuleset
from schemas.ruleset import parse
from tests.given import Fields, fixture, given, line, result, rules

CUP = rules(
    'sources = ["lobby"]',
    rank_by='["points desc", "best asc"]',
    metrics="""
points = { op = "sum", of = "points" }
best = { op = "min", of = "position" }
worst = { op = "max", of = "position" }
""",
    head='[sources.lobby]\norigin = "placements"\npoints = [10, 6, 4]\nper = { kills = 1 }\nwhere = { status = "ok" }',
    declared="[metrics.points]\n[metrics.kills]",
)

SERIES = rules(
    'sources = ["series"]',
    rank_by='["points desc"]',
    metrics='points = { op = "sum", of = "points" }\nwins = { op = "count", where = { verdict = "win" } }',
    head='[sources.series]\norigin = "table"\nbest_of = 3\nwin = 3\ndraw = 1',
)


def lobby(name: str, *lines: tuple[str, int | None, int], **fields: object) -> Fields:
    held = [
        line(player, position, status="ok" if position else "DSQ", values={"kills": kills})
        for player, position, kills in lines
    ]
    return result(name, *held, **fields)


def test_position_is_a_metric_of_placements() -> None:
    one = lobby("m1", ("ann", 1, 3), ("bob", 2, 7), ("eve", 3, 9))
    two = lobby("m2", ("eve", 1, 0), ("bob", 2, 0), ("ann", 3, 6))
    given(CUP).events(one, two).then.board().is_([(1, "ann", 23, 1, 3), (1, "eve", 23, 1, 3), (3, "bob", 19, 2, 2)])


def test_who_is_disqualified_in_a_later_revision_loses_position_and_kills() -> None:
    first = lobby("m1", ("ann", 1, 3), ("bob", 2, 7))
    override = lobby("m1", ("bob", 1, 7), ("ann", None, 3), revision=2, reason="macros", author="referee-2")
    given(CUP).events(first, override).then.board().is_([(1, "bob", 17, 1, 1)])


def test_the_best_n_placements_count_by_position() -> None:
    text = CUP.replace(
        'sources = ["lobby"]', 'sources = ["lobby"]\nkeep = { mode = "best", by = "position asc", n = 2 }'
    )
    lobbies = [lobby(f"m{at}", ("ann", position, 0)) for at, position in enumerate((3, 1, 2), 1)]
    given(text).events(*lobbies).then.board().is_([(1, "ann", 16, 1, 2)])


def series(name: str, *score: tuple[int, int], best_of: int | None = None) -> list[Fields]:
    attributes = None if best_of is None else {"games": best_of}
    planned = fixture(
        name, 1, "2026-02-08T18:00:00Z", sides=["ann", "bob"], **({"attributes": attributes} if attributes else {})
    )
    return [planned, *(result(name, score=list(held), revision=at) for at, held in enumerate(score, 1))]


def test_a_series_counts_once_it_is_decided() -> None:
    given(SERIES).events(*series("s1", (1, 0), (1, 1))).then.board().is_([])
    given(SERIES).events(*series("s1", (1, 0), (1, 1), (1, 2))).then.board().is_([(1, "bob", 3, 1), (2, "ann", 0, 0)])
    given(SERIES).events(*series("s1", (2, 0))).then.board().is_([(1, "ann", 3, 1), (2, "bob", 0, 0)])
    # Officials take a game back: the series is open again.
    given(SERIES).events(*series("s1", (2, 0), (1, 0))).then.board().is_([])


def test_an_even_series_may_be_drawn() -> None:
    text = SERIES.replace("best_of = 3", "best_of = 2")
    given(text).events(*series("s1", (1, 0))).then.board().is_([])
    given(text).events(*series("s1", (1, 1))).then.board().is_([(1, "ann", 1, 0), (1, "bob", 1, 0)])


def test_each_fixture_may_say_how_many_games() -> None:
    text = SERIES.replace("best_of = 3", 'best_of = "games"')
    given(text).events(*series("s1", (2, 1), best_of=5)).then.board().is_([])
    given(text).events(*series("s1", (3, 1), best_of=5)).then.board().is_([(1, "ann", 3, 1), (2, "bob", 0, 0)])
    # Without the attribute it is a single match.
    given(text).events(*series("s1", (13, 7))).then.board().is_([(1, "ann", 3, 1), (2, "bob", 0, 0)])


@pytest.mark.parametrize("games", ["0", "100"])
def test_a_series_has_a_length(games: str) -> None:
    with pytest.raises(InvalidRuleset, match="1 to 99 games"):
        parse(SERIES.replace("best_of = 3", f"best_of = {games}"))
