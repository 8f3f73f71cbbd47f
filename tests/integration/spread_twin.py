"""A spread game and the same game unspread: the same events for both, and every way to read them compared."""

from typing import Any

from tests.integration.api_stack import Answer, Stack, ruleset, score
from tests.integration.test_spread import SHARDS

PLAYERS = [f"player-{number:02}" for number in range(30)]
LANDS = ("de", "fr", "it")
RULES = """
game = "arcade"
title = "Arcade"
spread = true
time_zone = "Europe/Berlin"

[metrics.points]

[sources.score]
origin = "score"

[sources.officials]
origin = "adjustment"

[sources.race]
origin = "placements"
points = [25, 18, 15]

[sources.tips]
origin = "picks"
grades = [{ when = "choice", outcome = "winner", points = 3 }]

[boards.total]
rank_by = ["points desc"]
periods = ["all", "round"]
segments = { land = "player" }
tiers = [{ name = "gold", top = 3 }, { name = "silver", percent = 50 }]

[boards.total.metrics.points]
op = "sum"
of = "points"

[boards.total.metrics.runs]
op = "count"

[boards.total.badges]
rich = { where = { points = { min = 20 } }, title = "Rich" }

[boards.best]
sources = ["score"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc", "reached"]
ranks = "modified"

[boards.best.metrics.points]
op = "max"
of = "points"

[boards.few]
rank_by = ["points desc"]
ranks = "ordinal"
qualify = { runs = { min = 3 } }

[boards.few.metrics.points]
op = "sum"
of = "points"

[boards.few.metrics.runs]
op = "count"
"""


def unspread(text: str) -> str:
    return text.replace('game = "arcade"', 'game = "twin"').replace("spread = true", "")


def season() -> list[dict[str, Any]]:
    """Scores, races with tips, rulings, profiles, and some that do not count."""
    events: list[dict[str, Any]] = [
        {"id": f"in-{player}", "type": "player", "player": player, "attributes": {"land": LANDS[number % 3]}}
        for number, player in enumerate(PLAYERS)
    ]
    for round_ in (1, 2, 3):
        race = f"race-{round_}"
        events.append(
            {"id": f"f{round_}", "type": "fixture", "fixture": race, "round": round_}
            | {"starts_at": "2100-01-01T12:00:00Z"}
        )
        for number, player in enumerate(PLAYERS[: 10 * round_]):
            events.append(score(f"s{round_}-{number}", player, number * 7 % 10 * round_, round=round_))
            events.append(
                {
                    "id": f"p{round_}-{number}",
                    "type": "pick",
                    "player": player,
                    "fixture": race,
                    "choice": PLAYERS[number % 4],
                }
            )
        order = PLAYERS[round_ : round_ + 6]
        events.append(
            {"id": f"r{round_}", "type": "result", "fixture": race, "revision": 1, "status": "final"}
            | {"placements": [{"player": player, "position": place} for place, player in enumerate(order, 1)]}
            | {"outcomes": {"winner": [order[0]]}}
        )
    events += [
        {"id": "odd", "type": "pick", "player": PLAYERS[7], "fixture": "no-such", "choice": "x"},
        {"id": "late", "type": "pick", "player": PLAYERS[8], "fixture": "race-1", "choice": PLAYERS[1]},
        {"id": "old", "type": "result", "fixture": "race-1", "revision": 1, "status": "void"},
        {
            "id": "fine",
            "type": "adjustment",
            "player": PLAYERS[5],
            "values": {"points": -4},
            "round": 2,
            "reason": "jury",
        },
        {"id": "hide", "type": "player", "player": PLAYERS[3], "status": "hidden", "name": "Hidden"},
        {"id": "ban", "type": "player", "player": PLAYERS[11], "status": "banned"},
        {"id": "nora", "type": "player", "player": PLAYERS[4], "name": "Nora"},
        {"id": "norb", "type": "player", "player": PLAYERS[9], "name": "norbert"},
        {"id": "off", "type": "void", "event": "s1-2", "reason": "glitch"},
    ]
    # Two shards can record two events in the same millisecond, so the publisher says what came first.
    return [event | {"occurred_at": 1_770_000_000_000 + number} for number, event in enumerate(events)]


async def play(stack: Stack, rules: str = RULES) -> None:
    """The same events for a spread game and for one that is not."""
    for game, text in (("arcade", rules), ("twin", unspread(rules))):
        await stack.publish(ruleset(text), game=game)
        await stack.publish(*season(), game=game)


def plain(held: Any) -> Any:
    """An answer without what may differ: positions, also in cursors, times of recording, which game and generation it is."""
    if isinstance(held, dict):
        cursors = {key: held[key] is None for key in ("next", "previous", "frozen") if key in held}
        told = (
            "position",
            "game",
            "generation",
            "parts",
            "shard",
            "shards",
            "from",
            "to",
            "recorded_at",
            "at",
            "text",
            *cursors,
        )
        if "periods" in held:
            held = held | {"periods": sorted(held["periods"])}
        if "places" in held:
            # Copies that came to be in one batch have no order.
            held = held | {
                "places": sorted(
                    held["places"], key=lambda each: (each["board"], each["period"], each.get("segment", ""))
                )
            }
        return cursors | {key: plain(value) for key, value in held.items() if key not in told}
    return [plain(each) for each in held] if isinstance(held, list) else held


async def alike(stack: Stack, path: str, *, method: str = "GET", **options: Any) -> Any:
    """The answer of the spread game, which is that of the other one but for names and positions; None where there is none."""
    answers: list[Answer] = [
        await stack.request(method, f"/v1/games/{game}{path}", **options) for game in ("arcade", "twin")
    ]
    assert answers[0].status == answers[1].status in (200, 404), (path, answers[0].body, answers[1].body)
    if answers[0].status != 200:
        return None
    mine, others = (answer.json for answer in answers)
    assert plain(mine) == plain(others), path
    if "position" in mine:
        assert len(mine["position"].split(",")) == SHARDS
    return mine


async def walk(stack: Stack, game: str, at: str) -> list[Any]:
    """All pages of a board, on and back again; a cursor is of its own game."""
    pages = [(await stack.get(f"/v1/games/{game}{at}?limit=7")).json]
    for way, cursor in (("after", "next"), ("before", "previous")):
        while pages[-1][cursor]:
            pages.append((await stack.get(f"/v1/games/{game}{at}?limit=7&{way}={pages[-1][cursor]}")).json)
    return pages


async def everything(stack: Stack, boards: tuple[str, ...] = ("total", "best", "few")) -> None:
    """Every way to read the two games, which has to tell the same of both."""
    for board in boards:
        at = f"/boards/{board}"
        pages = await walk(stack, "arcade", at)
        assert plain(pages) == plain(await walk(stack, "twin", at))
        count = (await alike(stack, f"{at}?limit=100"))["total"]
        for player in PLAYERS:
            await alike(stack, f"{at}/players/{player}?around=3")
            await alike(stack, f"{at}/players/{player}/explain")
        assert await alike(stack, f"{at}/players/nobody") is None
        await alike(stack, f"{at}/ranks", method="POST", json={"players": [*PLAYERS[:12], "nobody"]})
        await alike(stack, f"{at}?q=player-1&limit=4")
        await alike(stack, f"{at}?q=NOR")
        for form in ("csv", "jsonl"):
            files = [await stack.get(f"/v1/games/{game}{at}/export?format={form}") for game in ("arcade", "twin")]
            assert files[0].body == files[1].body
            assert files[0].body.count(b"\n") == count + (form == "csv")
            assert len(files[0].headers["Rankfold-Position"].split(",")) == SHARDS
    for copy in (
        "period=round:1",
        "period=round:3",
        "segment=land:it",
        "period=round:2&segment=land:de",
        "period=round:9",
    ):
        await alike(stack, f"/boards/total?{copy}")
        await alike(stack, f"/boards/total/ranks?{copy}", method="POST", json={"players": PLAYERS})
    for player in (*PLAYERS[:12], PLAYERS[25]):
        await alike(stack, f"/players/{player}/stats?board=total")
        held = await alike(stack, f"/players/{player}?board=total")
        assert held["places"] or player == PLAYERS[11]
    assert await alike(stack, "/players/nobody") is None
    await alike(stack, "/boards/total/segments")
    await alike(stack, "")
    await alike(stack, "/ruleset/versions")
