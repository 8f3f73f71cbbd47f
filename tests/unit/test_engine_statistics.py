"""Statistics of a player: verdicts, streaks by verdict, the order of rounds, the best and the worst one, waiting picks."""

import pytest

from engine.boards import BoardPlan
from engine.contests import Contest
from engine.marks import Mark
from engine.picks import Placed
from engine.rules import Game, compile_ruleset
from engine.statistics import (
    Tally,
    Unranked,
    Waiting,
    extremes,
    in_order,
    marks_of,
    merit,
    pending,
    round_of,
    runs,
    tally,
)
from schemas.ruleset import parse

HOUR_MS = 3_600_000
GAME = """
game = "picks"
seasons = [{ id = "one", first = "1970-01-01", last = "1970-01-31" }]
[metrics.points]
[sources.winner]
origin = "picks"
market = "winner"
grades = [{ points = 1 }]
[sources.first]
origin = "picks"
market = "first"
where = { kind = { exists = true } }
lock = { at = "round", minutes = 60 }
grades = [{ points = 3 }]
[sources.guess]
origin = "picks"
market = "total"
guess = "absolute"
metric = "points"
[sources.other]
origin = "picks"
market = "other"
grades = [{ points = 1 }]
[boards.all]
sources = ["winner", "first", "guess"]
rank_by = ["points desc", "reached"]
periods = ["all", "round", "season"]
segments = { kind = "mark" }
qualify = { graded = { min = 2 } }
[boards.all.metrics]
points = { op = "sum", of = "points" }
graded = { op = "count" }
[boards.cup]
where = { kind = "cup", verdict = "win", points = { min = 1 } }
rank_by = ["points desc", "reached"]
[boards.cup.metrics]
points = { op = "sum", of = "points" }
"""


@pytest.fixture(scope="module")
def game() -> Game:
    return compile_ruleset(parse(GAME))


def plan(game: Game, name: str = "all") -> BoardPlan:
    return game.boards[name]


def mark(at: int, verdict: str | None = None, *, round_: int | str | None = None, points: int = 0) -> Mark:
    attributes = {} if verdict is None else {"verdict": verdict}
    return Mark(at, 0, 0, {"points": points}, round_, attributes, f"f{at}")


def marks(words: str) -> list[Mark]:
    names = {"w": "win", "l": "loss", "d": "draw", "p": "push", "v": "void", ".": None}
    return [mark(at, names[word]) for at, word in enumerate(words)]


@pytest.mark.parametrize(
    ("words", "counts", "percentage"),
    [
        ("", (0, 0, 0, 0, 0), None),
        ("dpv.", (0, 0, 1, 1, 1), None),
        ("wwl", (2, 1, 0, 0, 0), "0.6667"),
        ("wlwd.p", (2, 1, 1, 1, 0), "0.6667"),
        ("w", (1, 0, 0, 0, 0), "1.0000"),
        ("llllllll", (0, 8, 0, 0, 0), "0.0000"),
        ("w" + 31 * "l", (1, 31, 0, 0, 0), "0.0313"),
    ],
)
def test_verdicts_and_the_share_of_wins(words: str, counts: tuple[int, ...], percentage: str | None) -> None:
    found = tally(marks(words))
    assert found == Tally(*counts)
    assert found.percentage == percentage


def test_adjustments_have_no_verdict() -> None:
    adjustment = Mark(1, 1, 1, {"points": 5}, None, {"verdict": "win"}, "a", adjusts=True)
    assert tally([adjustment]).wins == 0
    assert runs([adjustment])["win"] == 0


@pytest.mark.parametrize(
    ("words", "win", "longest_win", "loss", "longest_loss"),
    [
        ("", 0, 0, 0, 0),
        ("wwlw", 1, 2, 0, 1),
        ("wpwv.w", 3, 3, 0, 0),
        ("wwdw", 1, 2, 0, 0),
        ("lld", 0, 0, 0, 2),
        ("wllp", 0, 1, 2, 2),
    ],
)
def test_streaks_by_verdict(words: str, win: int, longest_win: int, loss: int, longest_loss: int) -> None:
    found = runs(marks(words))
    assert found == {"win": win, "longest_win": longest_win, "loss": loss, "longest_loss": longest_loss}


@pytest.mark.parametrize(
    ("period", "round_"),
    [("round:7", 7), ("round:-1", -1), ("round:0", 0), ("round:07", "07"), ("round:-0", "-0"), ("round:a:b", "a:b")],
)
def test_rounds_out_of_periods(period: str, round_: int | str) -> None:
    assert round_of(period) == round_
    assert type(round_of(period)) is type(round_)


def test_rounds_in_their_order() -> None:
    ids = {"round:10": 1, "round:9": 2, "round:final": 3, "round:opening": 4, "round:lost": 5}
    seen = [mark(5, round_="opening"), mark(20, round_=10), mark(30, round_=9), mark(40, round_="final")]
    assert in_order(ids, seen) == ["round:opening", "round:9", "round:10", "round:final", "round:lost"]
    # Without marks the numbers go up, and names come as their rankings did.
    assert in_order(ids, []) == ["round:9", "round:10", "round:final", "round:opening", "round:lost"]
    assert in_order({}, seen) == []


def test_the_best_round_goes_by_what_compares_across_rounds(game: Game) -> None:
    board = plan(game)
    keys = [board.key([points, 2], (at, 0, 0), []) for at, points in enumerate([4, 9, 9, 1, 1])]
    merits = [merit(board, key) for key in keys if key is not None]
    assert len(set(merits)) == 3
    assert extremes(merits) == (1, 3)
    assert extremes([]) is None


def contest(fixture: str, start_h: int, round_: int = 1, **attributes: str) -> Contest:
    return Contest(fixture, round_, start_h * HOUR_MS, sides=["a", "b"], attributes=dict(attributes))


def waiting(one: Contest, first_h: int | None = None, **picked_h: int) -> Waiting:
    first_ms = None if first_h is None else first_h * HOUR_MS
    picks = {market: [Placed(1, at * HOUR_MS, 0, ("a",), None, market)] for market, at in picked_h.items()}
    return Waiting(one, first_ms, picks)


def test_waiting_picks_are_those_that_the_board_will_grade(game: Game) -> None:
    board = plan(game)
    plain = waiting(contest("f", 10), 10, winner=9, total=9, other=9, first=8)
    # The guess is not graded, `other` goes to another board, and `first` is only for fixtures with a kind.
    assert pending(game, board, "all", "", [plain]) == 1
    kind = waiting(contest("g", 10, kind="cup"), 10, winner=9, first=8)
    assert pending(game, board, "all", "", [plain, kind]) == 3
    assert pending(game, board, "all", "kind:cup", [plain, kind]) == 2
    assert pending(game, board, "season:one", "", [kind]) == 2
    assert pending(game, board, "season:one", "", [waiting(contest("h", 24 * 40), 24 * 40, winner=9)]) == 0
    assert pending(game, board, "round:1", "", [kind]) == 2
    assert pending(game, board, "round:2", "", [kind]) == 0
    # The condition on the verdict cannot be asked yet.
    assert pending(game, plan(game, "cup"), "all", "", [plain, kind]) == 2


def test_a_fixture_that_was_moved_forward_leaves_late_picks_out(game: Game) -> None:
    moved = contest("f", 5, kind="cup")
    assert pending(game, plan(game), "all", "", [waiting(moved, 5, winner=4, first=4)]) == 1
    assert pending(game, plan(game), "all", "", [waiting(moved, 5, winner=5, first=3)]) == 1
    assert pending(game, plan(game), "all", "", [waiting(moved, 5, winner=5, first=4)]) == 0


def test_who_does_not_qualify_has_numbers_all_the_same(game: Game) -> None:
    board = plan(game)
    held = [mark(1, "win", points=3)]
    state = board.shape.dump(held)
    assert marks_of(board, "", None) == []
    assert marks_of(board, "", state) == held
    assert board.shape.result(held)[0] is None
    prefix, extra = Unranked(board, game).place("all", "", state, 5)
    assert prefix is not None
    assert board.decode(prefix, extra) == {"points": 3, "graded": 1}
    assert Unranked(board, game).place("all", "", board.shape.dump([]), 5)[0] is None
