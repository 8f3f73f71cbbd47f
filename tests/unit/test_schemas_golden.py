"""What was accepted once must decode for ever: the golden files of every event type, in both wire formats.

A file that fails here may not be changed: mend the codec, or lift the old shape in schemas/upcast.py.
"""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from schemas import events
from schemas.codec import convert, decode, decode_json, encode
from schemas.events import EVENT_TYPES, Event

GOLDEN = Path(__file__).parents[1] / "golden" / "v1"
KICK_OFF_MS = 1_770_575_400_000

EXPECTED: dict[str, Event] = {
    "score": events.Score(
        id="s-1",
        game="arcade",
        occurred_at=datetime(2026, 2, 8, 19, 30, 0, 125_000, timezone(timedelta(hours=1))),
        player="Zoë ✓",
        values={"points": 9_007_199_254_740_993, "time": Decimal("12.345"), "penalty": -3},
        round=7,
        attributes={"country": "CH", "junior": True, "level": 3},
    ),
    "score-minimal": events.Score(id="s-2", game="arcade", player="ann", values={"points": 0}),
    "pick": events.Pick(
        id="p-1",
        game="picks",
        occurred_at=KICK_OFF_MS,
        player="ann",
        fixture="super-bowl-60",
        choice=["first", "last"],
        market="scorers",
        stake=Decimal("2.5"),
    ),
    "pick-minimal": events.Pick(id="p-2", game="picks", player="ann", fixture="super-bowl-60", choice="2-1"),
    "fixture": events.Fixture(
        id="f-1",
        game="picks",
        fixture="super-bowl-60",
        round="final",
        starts_at=datetime(2026, 2, 8, 23, 30, tzinfo=UTC),
        locks_at=1_770_593_100_000,
        sides=["patriots", "seahawks"],
        attributes={"dome": False},
    ),
    "result": events.Result(
        id="r-1",
        game="f1-1970",
        fixture="race-3",
        revision=2,
        status="final",
        round=3,
        score=[2, 1],
        placements=[
            events.Placement(
                player="rindt", position=1, seat="car-5", values={"laps": 80}, attributes={"fastest_lap": True}
            ),
            events.Placement(player="amon", status="DNF"),
        ],
        outcomes={"winner": ["rindt"], "podium": []},
        attributes={"kind": "race"},
    ),
    "result-minimal": events.Result(id="r-2", game="f1-1970", fixture="race-4"),
    "result-override": events.Result(
        id="r-3",
        game="arena",
        fixture="cup-1.map-2",
        revision=3,
        placements=[
            events.Placement(player="nova", position=1),
            events.Placement(player="rogue", status="DSQ", attributes={"team": "rogue"}),
        ],
        reason="played with a player who was not registered",
        author="referee-2",
    ),
    "adjustment": events.Adjustment(
        id="a-1",
        game="league",
        player="juventus",
        values={"points": -15},
        reason="false accounting",
        round="table",
        board="standings",
        author="federation",
    ),
    "void": events.Void(id="v-1", game="arcade", event="s-1", reason="replayed by mistake"),
    "reinstate": events.Reinstate(id="v-2", game="arcade", event="s-1", reason="it was no mistake"),
    "player": events.Player(
        id="pl-1",
        game="arcade",
        player="ann",
        name="Ann-Sofie",
        attributes={"country": "SE"},
        status="hidden",
        reason="asked for it",
    ),
    "freeze": events.Freeze(id="z-1", game="arcade", board="high-scores", period="daily:2026-02-08"),
    "thaw": events.Thaw(id="z-2", game="arcade", board="high-scores"),
    "close": events.Close(id="z-3", game="arcade", period="season:2026"),
    "ruleset": events.RulesetChange(
        id="rules-2",
        game="arcade",
        version=2,
        text='game = "arcade"\n',
        mode="from",
        from_round=5,
        from_time=datetime(2026, 3, 1, tzinfo=UTC),
    ),
    "tick": events.Tick(id="t-1", game="arcade", at=KICK_OFF_MS),
}


def test_every_type_has_golden_files_in_both_formats() -> None:
    assert {type(event) for event in EXPECTED.values()} == set(EVENT_TYPES)
    assert {path.name for path in GOLDEN.iterdir()} == {f"{name}.{kind}" for name in EXPECTED for kind in KINDS}


KINDS = ("json", "msgpack")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("name", EXPECTED)
def test_a_golden_file_means_what_it_always_meant(name: str, kind: str) -> None:
    assert decode((GOLDEN / f"{name}.{kind}").read_bytes()) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_bodies_that_hold_many_events_are_read_alike(name: str) -> None:
    assert convert(decode_json((GOLDEN / f"{name}.json").read_bytes())) == EXPECTED[name]


@pytest.mark.parametrize("name", EXPECTED)
def test_the_canonical_form_decodes_to_the_same_and_leaves_out_defaults(name: str) -> None:
    body = encode(EXPECTED[name])
    assert decode(body) == EXPECTED[name]
    assert None not in msgspec.json.decode(body).values()
