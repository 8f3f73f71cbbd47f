"""Badges: awarded once, when a player's metrics in a board first meet a condition.

What a row has been awarded is part of its state, so a replay and a restart award nothing twice. It is judged whenever an
event that gives or takes marks of the row is over, never between the steps of one event, and so wherever batches are cut.
An award stands, whatever corrections follow; under other rules the log is judged anew.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from engine.kept import Kept
from engine.marks import Mark
from engine.metrics import DERIVED, MetricPlan
from engine.shapes import Row, Shape, Step
from engine.tiers import MetricTest, Values, compile_conditions
from schemas.language import Badge, Board, RankBy


class Moment(NamedTuple):
    """An event is over: its position, and when it occurred. The last step of the event on a row that may earn badges."""

    epoch: int
    shard: int
    ms: int
    seq: int
    occurred_ms: int


class Award(NamedTuple):
    """A badge that a player was awarded in a ranking."""

    board: str
    period: str
    player: str
    badge: str
    moment: Moment


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(tuple[msgspec.Raw, dict[str, Moment]]).decode


class Earned:
    """A row's state with its badges; `fresh` names those awarded since the row was last settled."""

    __slots__ = ("badges", "fresh", "state")

    def __init__(self, state: Any, badges: dict[str, Moment]) -> None:
        self.state = state
        self.badges = badges
        self.fresh: list[str] = []


def bare(state: Any) -> Any:
    """A row's state without its badges, if it has any."""
    return state.state if type(state) is Earned else state


class Judge:
    """What a board's badges ask of a state: the conditions, over the metrics of a plan that qualifies everybody."""

    def __init__(
        self, badges: Mapping[str, Badge], metrics: Sequence[MetricPlan], shape: Shape, values: Values
    ) -> None:
        self._tests: list[tuple[str, MetricTest]] = [
            (name, compile_conditions(badge.where, metrics)) for name, badge in badges.items()
        ]
        self._shape = shape
        self._values = values

    def award(self, earned: Earned, moment: Moment) -> None:
        """Awards the badges that the state now meets and that were not awarded before."""
        held = earned.badges
        if len(held) >= len(self._tests):
            return
        prefix, extra = self._shape.result(earned.state)
        if prefix is None:
            return
        values = self._values(prefix, extra)
        for name, meets in self._tests:
            if name not in held and meets(values):
                held[name] = moment
                earned.fresh.append(name)


class Badged(Shape):
    """A shape whose states remember badges beside what another shape keeps."""

    def __init__(self, shape: Shape, judge: Judge) -> None:
        self._shape = shape
        self._judge = judge
        self.clocked = shape.clocked

    def new(self) -> Earned:
        return Earned(self._shape.new(), {})

    def take(self, row: Row, gist: Any) -> bool:
        changed = False
        for what in gist:
            changed |= self._take(row.state, what)
        return changed

    def _take(self, earned: Earned, what: Step) -> bool:
        """One step, and whether it changed anything."""
        if type(what) is Moment:
            self._judge.award(earned, what)
            return bool(earned.fresh)
        if isinstance(what, str):
            self._shape.withdraw(earned.state, what)
            return True
        return self._shape.absorb(earned.state, what)  # type: ignore[arg-type]

    def revoke(self, state: Earned, mark: Mark) -> bool:
        return self._shape.revoke(state.state, mark)

    def absorb(self, state: Earned, mark: Mark) -> bool:
        return self._shape.absorb(state.state, mark)

    def judge(self, state: Earned, moment: Moment) -> None:
        """Judges a state from which marks were taken back."""
        self._judge.award(state, moment)

    def renewed(self, state: Earned) -> Earned:
        again = Earned(self._shape.renewed(state.state), state.badges)
        again.fresh = state.fresh
        return again

    def result(self, state: Earned) -> tuple[bytes | None, bytes]:
        return self._shape.result(state.state)

    def result_at(self, state: Earned, clock: int) -> tuple[bytes | None, bytes, int | None]:
        return self._shape.result_at(state.state, clock)

    def dump(self, state: Earned) -> bytes:
        return b"[%b,%b]" % (self._shape.dump(state.state), _encode(dict(sorted(state.badges.items()))))

    def load(self, data: bytes) -> Earned:
        inner, badges = _decode(data)
        return Earned(self._shape.load(bytes(inner)), badges)


def judged_board(board: Board, shape: Shape) -> Board:
    """The board whose metrics badges are judged by: everybody qualifies, and of kept marks only what they ask for is made."""
    rank_by, metrics = board.rank_by, board.metrics
    if type(shape) is Kept:
        asked = {name for badge in board.badges.values() for name in badge.where}
        made_of = [metrics[name] for name in asked if metrics[name].op in DERIVED]
        asked |= {of for metric in made_of for of in (metric.of, metric.by) if of is not None}
        numbers: list[RankBy] = [name for name in metrics if name in asked and metrics[name].op != "form"]
        if numbers:
            rank_by, metrics = numbers[:1], {name: metric for name, metric in metrics.items() if name in asked}
    return msgspec.structs.replace(
        board, rank_by=rank_by, metrics=metrics, qualify={}, badges={}, tiers=[], movement="none"
    )


def judge_of(board: Board, judged: Any, shape: Shape) -> Judge:
    """The judge of a board; `judged` is the compiled `judged_board`, `shape` the one that keeps its states."""
    same = Kept(judged) if type(shape) is Kept else judged.shape
    return Judge(board.badges, judged.metrics, same, judged.values)


def awards_of(table: tuple[str, str, str], rows: Iterable[tuple[str, Row]]) -> Iterator[Award]:
    """The badges that rows of a table were awarded since they were last settled."""
    board, period, _ = table
    for player, row in rows:
        earned: Earned = row.state
        for name in earned.fresh:
            yield Award(board, period, player, name, earned.badges[name])
        earned.fresh.clear()
