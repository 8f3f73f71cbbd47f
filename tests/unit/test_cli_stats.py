"""A player's season in words."""

from typing import Any

from cli.stats import summary

BEST = {"round": 1, "period": "round:1", "rank": 1, "tied": 2, "total": 24, "metrics": {"points": 9, "share": "0.7500"}}
WORST = {
    "round": "final",
    "period": "round:final",
    "rank": None,
    "tied": None,
    "total": None,
    "metrics": {"points": -1},
}
ANSWER: dict[str, Any] = {
    "rank": 3,
    "tied": 1,
    "total": 1_024,
    "totals": {"points": 8, "distance": None},
    "wins": 3,
    "losses": 0,
    "draws": 0,
    "pushes": 1,
    "voids": 0,
    "pending": 2,
    "percentage": "1.0000",
    "best": BEST,
    "worst": WORST,
    "streaks": {"win": 3, "longest_win": 3},
    "badges": [{"title": "Nine in a round"}, {"title": "\x1b[2J"}],
    "movement": -2,
}


def words(**more: Any) -> dict[str, str]:
    return dict(summary({**ANSWER, **more}))


def test_all_that_is_there_is_told() -> None:
    assert words() == {
        "rank": "3 of 1,024, down 2",
        "totals": "points 8, distance -",
        "verdicts": "3 won, 0 lost, 1 pushed, 2 pending",
        "percentage": "1.0000",
        "best": "round 1, rank =1 of 24: points 9, share 0.7500",
        "worst": "round final: points -1",
        "streaks": "win 3, longest win 3",
        "badges": "Nine in a round, \\x1b[2J",
    }


def test_what_is_not_there_is_left_out() -> None:
    nothing = dict.fromkeys(("wins", "losses", "draws", "pushes", "voids", "percentage", "best", "worst"))
    rest = {"rank": None, "tied": None, "total": None, "totals": None, "pending": 0, "streaks": {}, "badges": None}
    assert words(**nothing, **rest) == {"rank": "not ranked"}


def test_movement_and_the_hidden() -> None:
    assert words(movement=1, tied=2)["rank"] == "=3 of 1,024, up 1"
    assert words(movement=0)["rank"] == words(movement=None)["rank"] == "3 of 1,024"
    assert words(hidden=True, movement=0)["rank"] == "3 of 1,024, shown to nobody"
