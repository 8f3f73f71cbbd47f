"""Plain scores are taken column by column. What is archived and accepted is what it would be entry by entry."""

import asyncio
from typing import Any, cast

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from consumers.admission import Accepted, Admission, Scored
from consumers.intake import Mixed, Plain, RawEntry, Taken, join, take_all, take_in
from consumers.parts import parts
from engine.erasure import MARK
from engine.rules import Game
from engine.spread import part_of
from projections.batch import Batch, LiveGame, ShardState
from projections.names import FIELD
from projections.store import Store
from schemas.checks import plainly_good
from schemas.events import Score
from schemas.ruleset import parse

SHARD = 1
RULES = """
game = "{game}"
{spread}
[metrics.points]
{bounds}
[boards.all]
rank_by = ["points desc"]
metrics.points = {{ op = "sum", of = "points" }}
"""
NAMES = ("here", "bounded", "spread", "away", "unknown")

GOOD = {"type": "score", "game": "here", "player": "ann", "values": {"points": 5}}
ODD: list[Any] = [
    *({"player": player} for player in (f"{MARK}1.1.5-0", f"{MARK}1.1.9000-0", "x\n", "", "é", "y" * 128, "y" * 129)),
    *({"id": identity} for identity in ("", "é", "i" * 129, "x\x7f")),
    *({"game": game} for game in ("Bad", "unknown", "away", "spread", "bounded")),
    *(
        {"values": {"points": number}}
        for number in (0, 2**53 - 1, 2**53, -(2**53), 2**63, 1.5, "1.5", "2.0", True, None)
    ),
    *({"values": values} for values in ({}, {"other": 1}, {"points": 1, "other": 1}, {"Bad": 1}, 7)),
    {"values": {"points": -1}, "game": "bounded"},
    *({"round": round_} for round_ in (1, "semi", None, -1)),
    *({"occurred_at": at} for at in (0, "2026-02-08T18:30:00Z", "2026-02-08T18:30:00")),
    *({"v": version} for version in (1, 2, 9)),
    {"attributes": {"level": 3}},
    {"type": "adjustment", "reason": "late"},
    {"type": "adjustment", "reason": ""},
    {"type": "tick", "at": 5},
    {"more": 1},
    b"",
    b"{",
    b"\xc1",
    b"[" * 2_000,
]
"""What is to be changed of a good one, or another body."""


@st.composite
def streams(draw: st.DrawFn) -> list[RawEntry]:
    """Entries as Redis sends them: good ones, among which some are that nobody should have sent."""
    said: list[Any] = []
    for _ in range(draw(st.integers(1, 4))):
        players = draw(st.lists(st.sampled_from(["ann", "bob", "cid", "dan"]), min_size=1, max_size=4))
        game = draw(st.sampled_from(["here", "here", *NAMES]))
        said += [GOOD | {"player": player, "game": game} for player in players]
        if draw(st.booleans()):
            change = draw(st.sampled_from(ODD))
            said.append(change if isinstance(change, bytes) else GOOD | change)
    packed = draw(st.sets(st.integers(0, 19), max_size=1))
    fields = [
        draw(st.sampled_from([[FIELD]] * 9 + [[b"other"], [FIELD, b"1", b"other"]])) if at % 7 == 6 else [FIELD]
        for at in range(len(said))
    ]
    return [
        (b"%d-%d" % (1_000 + at // 2, at % 2), [*fields[at], wire(at, each, packed=at in packed)])
        for at, each in enumerate(said)
    ]


def wire(at: int, body: Any, *, packed: bool) -> bytes:
    """A body as a publisher sends it; each has an id of its own, unless it says another one."""
    if isinstance(body, bytes):
        return body
    return (msgspec.msgpack if packed else msgspec.json).encode({"id": f"e{at}"} | body)


def games() -> dict[str, LiveGame]:
    """The games that the shard holds; the last one lives elsewhere."""
    texts = {
        "here": ("", ""),
        "bounded": ("", "min = 0"),
        "spread": ("spread = true", ""),
        "away": ("", ""),
    }
    made: dict[str, LiveGame] = {}
    for number, (name, (spread, bounds)) in enumerate(texts.items(), 1):
        game = Game(parse(RULES.format(game=name, spread=spread, bounds=bounds)))
        shard = 0 if name == "away" else SHARD
        made[name] = LiveGame(number, name, shard, number, 1, game, 2 if name == "spread" else 1)
    return made


def admitted(part: list[Taken]) -> tuple[list[Scored | Accepted], Batch]:
    batch = Batch(SHARD, ShardState(1, 0, 0, 0, 0), (0, 0))
    # Nothing is looked up: no id has come twice so far.
    admission = Admission(SHARD, cast(Store, None), games())
    return asyncio.run(admission.take(part, batch)), batch


def said(accepted: list[Scored | Accepted]) -> list[tuple[str, int, int, Any]]:
    """(game, ms, seq, event), by game and in its order there."""
    found = []
    for some in accepted:
        if isinstance(some, Scored):
            scores = some.scores
            found += [(some.live.name, *each) for each in zip(scores.ms, scores.seq, scores.events, strict=True)]
        else:
            found += [(event.game, entry.ms, entry.seq, event) for entry, event in some]
    return sorted(found, key=lambda each: each[0])


def taken_whole(raw: list[RawEntry], cut: int) -> list[Taken]:
    stretches: list[Taken] = []
    for at in range(0, len(raw), cut):
        join(stretches, take_all(raw[at : at + cut]))
    return stretches


@given(streams(), st.integers(1, 8))
def test_entries_are_taken_in_together_as_one_by_one(raw: list[RawEntry], cut: int) -> None:
    stretches = taken_whole(raw, cut)
    assert [entry for stretch in stretches for entry in stretch.entries()] == list(map(take_in, raw))
    for stretch in stretches:
        assert len(stretch) == len(stretch.entries())
        assert stretch.last == (stretch.entries()[-1].ms, stretch.entries()[-1].seq)
        assert stretch.games == {entry.event.game for entry in stretch.entries() if entry.event is not None}
        plain = [entry for entry in stretch.entries() if type(entry.event) is Score and plainly_good(entry.event)]
        assert isinstance(stretch, Mixed) or plain == stretch.entries()
    together = [entry for _, part in parts(stretches) for stretch in part for entry in stretch.entries()]
    assert together == list(map(take_in, raw))


@given(streams(), st.integers(1, 8))
def test_plain_scores_are_admitted_as_others_are(raw: list[RawEntry], cut: int) -> None:
    accepted, batch = admitted(taken_whole(raw, cut))
    one_by_one, other = admitted([Mixed(map(take_in, raw))])
    assert said(accepted) == said(one_by_one)
    for column in ("log", "ids", "dead"):
        lines, expected = getattr(batch.lines, column), getattr(other.lines, column)
        assert sorted(lines, key=repr) == sorted(expected, key=repr)


def test_plain_scores_are_not_looked_at_one_by_one() -> None:
    mine = next(name for name in map(str, range(99)) if part_of(name, 2) == SHARD)
    sent = [
        {"type": "score", "id": f"{game}{at}", "game": game, "player": mine, "values": {"points": at}}
        for at in range(5)
        for game in ("here", "spread")
    ]
    raw: list[RawEntry] = [(b"9-%d" % at, [FIELD, msgspec.json.encode(body)]) for at, body in enumerate(sent)]
    taken = take_all(raw)
    assert isinstance(taken, Plain)
    accepted, batch = admitted([taken])
    assert [(some.live.name, some.scores.seq) for some in accepted if isinstance(some, Scored)] == [
        ("here", [0, 2, 4, 6, 8]),
        ("spread", [1, 3, 5, 7, 9]),
    ]
    assert len(accepted) == 2
    assert len(batch.lines.log) == 10
