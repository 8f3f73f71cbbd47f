"""Statistics of one player: what his marks say beyond the metrics of a board, and how his rounds compare. Pure functions."""

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import msgspec

from engine.badges import bare
from engine.boards import BoardPlan
from engine.clock import FAR
from engine.contests import Contest
from engine.kept import Kept
from engine.marks import Mark, compile_where
from engine.numbers import round_half_up, unscaled
from engine.picks import PickMarks, Placed, counting
from engine.rules import Game
from engine.shapes import Shape

PERCENTAGE_SCALE = 4
_GRADED = frozenset(("verdict", "missing", "choice", "stake"))
"""What conditions may ask of a mark and nothing tells before it is graded; metrics beside."""

_UNKNOWN = ((FAR, 0, 0), "")


class Tally(NamedTuple):
    """How many marks have each verdict. Adjustments have none, nor have tie-break guesses."""

    wins: int
    losses: int
    draws: int
    pushes: int
    voids: int

    @property
    def percentage(self) -> str | None:
        """The share of wins in wins and losses, from 0.0000 to 1.0000, rounded half up; None while there is neither."""
        decided = self.wins + self.losses
        if not decided:
            return None
        return unscaled(round_half_up(Fraction(self.wins * 10**PERCENTAGE_SCALE, decided)), PERCENTAGE_SCALE)


def tally(marks: Iterable[Mark]) -> Tally:
    """Counts the verdicts of marks."""
    found = _verdicts(marks)
    return Tally(*(found.count(verdict) for verdict in ("win", "loss", "draw", "push", "void")))


def runs(marks: Iterable[Mark]) -> dict[str, int]:
    """Streaks by verdict of marks in contest order: the present and the longest one of wins, and of losses.

    Pushes, voids and marks without a verdict change nothing; a draw ends both.
    """
    present = {"win": 0, "loss": 0}
    longest = dict(present)
    for verdict in _verdicts(marks):
        if verdict in ("push", "void"):
            continue
        for of in present:
            present[of] = present[of] + 1 if verdict == of else 0
            longest[of] = max(longest[of], present[of])
    return {name: value for of in present for name, value in ((of, present[of]), (f"longest_{of}", longest[of]))}


def _verdicts(marks: Iterable[Mark]) -> list[Any]:
    found = [(mark.attributes or {}).get("verdict") for mark in marks if not mark.adjusts]
    return [verdict for verdict in found if verdict is not None]


def marks_of(plan: BoardPlan, segment: str, state: bytes | None) -> list[Mark] | None:
    """The marks of a stored state, if there is one, in contest order; None on boards that do not keep them one by one.

    `segment` is empty, or of an attribute of marks.
    """
    if type(plan.shape) is not Kept:
        return None
    if state is None:
        return []
    marks: list[Mark] = bare(_shape(plan, segment).load(state))
    return marks


def _shape(plan: BoardPlan, segment: str) -> Shape:
    return plan.shape if segment or plan.badges is None else plan.badges


def round_of(period: str) -> int | str:
    """The round of a period such as round:7: a number if it reads as one."""
    text = period.partition(":")[2]
    digits = text.removeprefix("-")
    plain = digits.isascii() and digits.isdecimal() and (digits == "0" or digits[0] != "0") and text != "-0"
    return int(text) if plain else text


def in_order(rounds: Mapping[str, int], marks: Iterable[Mark]) -> list[str]:
    """The periods of a player's rounds in their order: numbers go up, a name stands where its first mark does.

    `rounds` are ranking ids by period. They decide where no mark tells: rankings come up when rounds begin.
    """
    first: dict[str, tuple[Any, ...]] = {}
    for mark in marks:
        if mark.round is not None:
            first.setdefault(f"round:{mark.round}", (mark.order, mark.origin))
    keys: dict[str, tuple[Any, ...]] = {period: (*first.get(period, _UNKNOWN), rounds[period]) for period in rounds}
    numbered = sorted((number, period) for period in rounds if isinstance(number := round_of(period), int))
    latest: tuple[Any, ...] = ()
    places: dict[str, tuple[Any, ...]] = {period: (key, 0) for period, key in keys.items()}
    for index, (_, period) in enumerate(numbered):
        latest = max(latest, keys[period])
        places[period] = (latest, index)
    return sorted(rounds, key=places.__getitem__)


def merit(plan: BoardPlan, prefix: bytes) -> bytes:
    """What a sort key says of a player's own marks alone: its metrics and countbacks, which compare across rounds.

    When a number was reached, who won against whom and the lot say nothing of another round.
    """
    parts, start = [], 0
    for number, (kind, _) in enumerate(plan.order):
        end = plan.behind(number, prefix, start)
        if kind in ("asc", "desc", "countback"):
            parts.append(prefix[start:end])
        start = end
    return b"".join(parts)


def extremes(merits: Sequence[bytes]) -> tuple[int, int] | None:
    """Where the best and the worst of rounds are, the earlier one of equals; None without any."""
    if not merits:
        return None
    return merits.index(min(merits)), merits.index(max(merits))


class Unranked:
    """What stands behind those who are not ranked because they do not qualify: the same board for everybody."""

    def __init__(self, plan: BoardPlan, game: Game) -> None:
        self._plan = plan
        self.everybody = BoardPlan(plan.name, msgspec.structs.replace(plan.board, qualify={}, badges={}), game.rules)

    def place(self, period: str, segment: str, state: bytes, clock: int) -> tuple[bytes | None, bytes]:
        """(prefix, extra) of a stored state at `clock` (epoch milliseconds); prefix is None without marks."""
        held = bare(_shape(self._plan, segment).load(state))
        until = min(clock, self._plan.end_of(period) - 1)
        prefix, extra, _ = self.everybody.shape.result_at(held, until)
        return prefix, extra


class Waiting(NamedTuple):
    """A contest without a result, when its round starts (epoch milliseconds), and a player's picks by market in log order."""

    contest: Contest
    first_ms: int | None
    picks: dict[str, list[Placed]]


def pending(game: Game, plan: BoardPlan, period: str, segment: str, contests: Iterable[Waiting]) -> int:
    """How many of a player's picks a copy of a board will grade once the results are there; guesses are not graded.

    Conditions of the board count as far as the fixture tells. `segment` is empty, or of an attribute of marks.
    """
    sources = [picks for picks, plans in game.pick_routes if plan in plans and picks.source.guess is None]
    known = {
        name: condition
        for name, condition in plan.board.where.items()
        if name not in _GRADED and name not in game.rules.metrics
    }
    where = compile_where(known, game.rules.metrics)

    def counts(one: Waiting, picks: PickMarks) -> bool:
        contest, first_ms, entries = one
        facts = picks.facts(contest)
        periods = [calendar.period_of(facts.occurred_ms, facts.round) for calendar in plan.calendars]
        return (
            period in periods
            and segment in plan.segments_of(facts)
            and picks.where(facts)
            and where(facts)
            and counting(entries.get(picks.market), picks.lock_ms(contest, first_ms)) is not None
        )

    return sum(len({picks.market for picks in sources if counts(one, picks)}) for one in contests)
