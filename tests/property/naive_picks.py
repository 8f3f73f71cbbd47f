"""Picks graded plainly: who picked what in time, looked up once at the end of the log. Slow, and nothing like the fold."""

from collections.abc import Iterable
from fractions import Fraction
from typing import Any

from schemas.events import Event, Fixture, Pick, Player, Result
from schemas.language import Grade, PicksSource

MINUTE = 60_000
Log = list[tuple[int, Event]]
"""(recorded ms, event)."""


class NaivePool:
    """One picks source without a market. `points`, `verdicts` and `refused` (event ids) are the outcome."""

    def __init__(self, source: PicksSource, log: Log) -> None:
        self.source = source
        self.fixtures: dict[str, Fixture] = {}
        self.results: dict[str, tuple[int, Result]] = {}
        self.accepted: list[tuple[int, Pick]] = []
        self.refused: list[str] = []
        banned: set[str] = set()
        for ms, event in log:
            if isinstance(event, Fixture):
                self.fixtures[event.fixture] = event
            elif isinstance(event, Result):
                held = self.results.get(event.fixture)
                if held is None or event.revision > held[1].revision:
                    self.results[event.fixture] = (ms, event)
            elif isinstance(event, Player):
                (banned.add if event.status == "banned" else banned.discard)(event.player)
            elif isinstance(event, Pick):
                if event.player not in banned and self._open(event, ms):
                    self.accepted.append((ms, event))
                else:
                    self.refused.append(event.id)
        self.points: dict[str, Fraction] = {}
        self.verdicts: dict[str, list[str]] = {}
        for name, (ms, result) in self.results.items():
            if name in self.fixtures:
                self._settle(name, ms, result)

    def _lock(self, name: str) -> float:
        fixture = self.fixtures[name]
        if fixture.locks_at is not None:
            return fixture.locks_at  # type: ignore[return-value]
        starts: list[Any] = [fixture.starts_at]
        if self.source.lock.at == "never":
            return float("inf")
        if self.source.lock.at == "round":
            starts = [other.starts_at for other in self.fixtures.values() if other.round == fixture.round]
        return min(starts) - self.source.lock.minutes * MINUTE  # type: ignore[no-any-return]

    def _open(self, pick: Pick, ms: int) -> bool:
        if pick.fixture not in self.fixtures or ms >= self._lock(pick.fixture):
            return False
        result = self.results.get(pick.fixture)
        if result is not None and result[1].status == "final" and self._lock(pick.fixture) < float("inf"):
            return False
        if self.source.stakes is None or self.source.stakes.unique == "no":
            return True
        used = [
            self._stake(self._last(pick.player, name))
            for name, fixture in self.fixtures.items()
            if name != pick.fixture and fixture.round == self.fixtures[pick.fixture].round
        ]
        return self._stake(pick) not in used

    def _last(self, player: str, name: str) -> Pick | None:
        mine = [
            pick
            for ms, pick in self.accepted
            if (pick.player, pick.fixture) == (player, name) and ms < self._lock(name)
        ]
        return mine[-1] if mine else None

    def _stake(self, pick: Pick | None) -> Fraction | None:
        if pick is None or self.source.stakes is None:
            return None if pick is None else Fraction(1)
        return Fraction(self.source.stakes.default if pick.stake is None else pick.stake)

    def _settle(self, name: str, result_ms: int, result: Result) -> None:
        joined: dict[str, int] = {}
        for ms, pick in self.accepted:
            joined.setdefault(pick.player, ms)
        for player in joined:
            pick = self._last(player, name)
            if pick is not None:
                stake = self._stake(pick)
                assert stake is not None
                self._grade(player, _choices(pick.choice), stake, result)
            elif joined[player] < self._lock(name) and joined[player] < result_ms:
                self._miss(player, result)

    def _give(self, player: str, points: Fraction, verdict: str) -> None:
        self.points[player] = self.points.get(player, Fraction(0)) + points
        self.verdicts.setdefault(player, []).append(verdict)

    def _miss(self, player: str, result: Result) -> None:
        source = self.source
        default = Fraction(1 if source.stakes is None else source.stakes.default)
        if source.missing == "default":
            assert source.default is not None
            self._grade(player, [source.default], default, result)
        elif source.missing != "hold" and (self._lost(result) or (result.status == "final" and self._told(result))):
            lose = source.missing == "lose"
            self._give(player, Fraction(source.wrong) * default if lose else Fraction(0), "loss" if lose else "void")

    def _lost(self, result: Result) -> bool:
        return result.status != "final" and getattr(self.source, result.status) == "lose"

    def _told(self, result: Result) -> list[Grade]:
        return [grade for grade in self.source.grades if grade_holds(grade, ["1-0"], result) is not None]

    def _grade(self, player: str, choices: list[str], stake: Fraction, result: Result) -> None:
        source = self.source
        wrong = Fraction(source.wrong) * stake
        if result.status != "final":
            policy = getattr(source, result.status)
            if policy != "hold":
                lost = policy == "lose"
                verdict = "loss" if lost else ("push" if result.status == "push" else "void")
                self._give(player, wrong if lost else Fraction(0), verdict)
            return
        told = self._told(result)
        if not told:
            return
        worths = [Fraction(grade.points) for grade in told if grade_holds(grade, choices, result)]
        if not worths:
            self._give(player, wrong, "loss")
        elif source.grading == "first":
            self._give(player, worths[0] * stake, "win")
        else:
            self._give(player, sum(worths, Fraction(0)) * stake, "win")


def grade_holds(grade: Grade, choices: Iterable[str], result: Result) -> bool | None:
    """Whether a grade holds; None while the result does not tell."""
    if grade.when == "choice":
        outcome = (result.outcomes or {}).get(grade.outcome or "winner")
        return None if outcome is None else any(choice in outcome for choice in choices)
    if result.score is None:
        return None
    home, away = result.score
    first, second = (int(number) for number in next(iter(choices)).split("-"))
    if grade.when == "exact":
        return (first, second) == (home, away)
    if grade.when == "difference":
        return first - second == home - away
    return (first > second, first < second) == (home > away, home < away)


def _choices(choice: str | list[str]) -> list[str]:
    return [choice] if isinstance(choice, str) else choice
