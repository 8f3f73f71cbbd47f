"""Corrections of something large: the best run of a player with very many events is voided; a fixture with as many picks is
settled anew. Seconds from publishing the correction until readers see it."""

import time
from collections.abc import Iterable

from bench.processes import Child
from bench.stack import Stack
from projections.names import FIELD, stream_key
from schemas.codec import encode
from schemas.events import Event, Fixture, Pick, Result, RulesetChange, Score, Void

GAME = "corrections"
FIXTURE = "final"
FAR_MS = 32_503_680_000_000
RULES = """\
game = "corrections"
[metrics.points]
[sources.score]
origin = "score"
[sources.picks]
origin = "picks"
grades = [{ when = "choice", points = 3 }]
[boards.best]
sources = ["score"]
rank_by = ["points desc", "reached"]
keep = { mode = "best", by = "points" }
metrics.points = { op = "max", of = "points" }
[boards.total]
sources = ["score"]
rank_by = ["points desc", "reached"]
metrics.points = { op = "sum", of = "points" }
[boards.picks]
sources = ["picks"]
rank_by = ["points desc"]
metrics.points = { op = "sum", of = "points" }
"""
PIPELINE_EVENTS = 1_000


def measure(stack: Stack, consumer: Child, size: int) -> dict[str, float]:
    """{"void_s", "resettle_s"} for a player with `size` events and a fixture with `size` picks."""
    _show(stack, consumer, [RulesetChange(id="rules", game=GAME, version=1, text=RULES)])
    _show(stack, consumer, (_score(number, number) for number in range(size)))
    void_s = _show(stack, consumer, [Void(id="void", game=GAME, event=f"score-{size - 1}", reason="benchmark")])
    _show(stack, consumer, [Fixture(id="plan", game=GAME, fixture=FIXTURE, round=1, starts_at=FAR_MS)])
    _show(stack, consumer, (_pick(number) for number in range(size)))
    _show(stack, consumer, [_result(1, "home")])
    return {"size": size, "void_s": void_s, "resettle_s": _show(stack, consumer, [_result(2, "away")])}


def _score(number: int, points: int) -> Score:
    return Score(id=f"score-{number}", game=GAME, player="ann", values={"points": points})


def _pick(number: int) -> Pick:
    choice = ("home", "away", "draw")[number % 3]
    return Pick(id=f"pick-{number}", game=GAME, player=f"player-{number}", fixture=FIXTURE, choice=choice)


def _result(revision: int, winner: str) -> Result:
    return Result(id=f"result-{revision}", game=GAME, fixture=FIXTURE, revision=revision, outcomes={"winner": [winner]})


def _show(stack: Stack, consumer: Child, events: Iterable[Event]) -> float:
    """Publishes events and waits until they are visible; returns how long that took, in seconds."""
    started = time.monotonic()
    last, batch = "", list(events)
    for at in range(0, len(batch), PIPELINE_EVENTS):
        pipeline = stack.redis_log.pipeline(transaction=False)
        for event in batch[at : at + PIPELINE_EVENTS]:
            pipeline.xadd(stream_key(0), {FIELD: encode(event)})
        last = pipeline.execute()[-1].decode()
    return stack.until_visible([last], consumer) - started
