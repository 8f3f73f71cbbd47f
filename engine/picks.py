"""Picks: marks from what players predicted of a contest, once it has a result. Pure: the same picks, lock and result
always give the same marks."""

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from fractions import Fraction
from typing import NamedTuple

from engine.contests import Contest
from engine.marks import Mark, compile_where
from engine.numbers import round_half_up
from engine.sources import Entry
from schemas.choices import choice_rule, number_of, score_of, tendency, tendency_of
from schemas.errors import Problem
from schemas.events import Number, Pick, Result
from schemas.language import Grade, MetricType, PicksSource, Ruleset

NEVER = 1 << 62
"""The lock of picks that never lock, epoch milliseconds."""

_MINUTE_MS = 60_000
_VERDICTS = {"push": "push", "void": "void", "abandoned": "void"}


class Placed(NamedTuple):
    """A pick as it was accepted: its place in the log, what was chosen, the stake as text, and the event's id."""

    epoch: int
    ms: int
    seq: int
    choices: tuple[str, ...]
    stake: str | None
    event: str


def placed(event: Pick, epoch: int, ms: int, seq: int) -> Placed:
    """A pick event as it is kept."""
    choices = (event.choice,) if isinstance(event.choice, str) else tuple(event.choice)
    stake = None if event.stake is None else format(Decimal(event.stake), "f")
    return Placed(epoch, ms, seq, choices, stake, event.id)


def counting(entries: list[Placed] | None, lock_ms: int) -> Placed | None:
    """Of a player's picks of one market, in log order, the one that counts: the last recorded before the lock."""
    for entry in reversed(entries or ()):
        if entry.ms < lock_ms:
            return entry
    return None


class PickMarks:
    """A compiled source of picks."""

    def __init__(self, source: PicksSource, metrics: dict[str, MetricType]) -> None:
        self.source = source
        self.market = source.market or ""
        self.outcome = source.market or "winner"
        self.metric = source.metric
        self.unit = 10 ** metrics[source.metric].scale
        self.over_unit = 10 ** metrics[source.over].scale if source.over is not None else 0
        self.where = compile_where(source.where, metrics)

    def lock_ms(self, contest: Contest, first_ms: int | None) -> int:
        """Picks of a planned contest that were recorded before this count; `first_ms` is when its round starts."""
        lock = self.source.lock
        if contest.locks_ms is not None:
            return contest.locks_ms
        if lock.at == "never" or contest.starts_ms is None:
            return NEVER
        start = contest.starts_ms if lock.at == "start" or first_ms is None else first_ms
        return start - lock.minutes * _MINUTE_MS

    def staked(self, stake: str | None) -> Fraction:
        """What a pick multiplies its points by."""
        if self.source.stakes is None:
            return Fraction(1)
        return Fraction(stake if stake is not None else self.source.stakes.default)

    def facts(self, contest: Contest) -> Mark:
        """What conditions may ask about a contest and its market before anything is graded."""
        attributes = contest.facts
        if self.market:
            attributes["market"] = self.market
        return Mark(contest.occurred_ms, 0, 0, {}, contest.held_in, attributes, contest.fixture)

    def marks(
        self,
        contest: Contest,
        first_ms: int | None,
        picks: Mapping[str, list[Placed]],
        joined: Mapping[str, int],
        only: str | None = None,
    ) -> Iterator[Entry]:
        """The marks of a contest by player (or of the player `only`): of those who picked, then of those who missed it.

        `picks` are the accepted picks of this market by player, `joined` says when each player's first pick was recorded.
        """
        result = contest.result
        if result is None or contest.starts_ms is None:
            return
        facts = self.facts(contest)
        if not self.where(facts):
            return
        grading = _Grading(self, result, facts)
        lock_ms = self.lock_ms(contest, first_ms)
        chosen = picks.items() if only is None else [(only, picks[only])] if only in picks else []
        for player, entries in chosen:
            entry = counting(entries, lock_ms)
            mark = None if entry is None else grading.mark(entry.choices, entry.stake)
            if mark is not None:
                yield player, mark
        missed = grading.missed()
        if missed is not None:
            # Who came only after the result cannot be said to have missed it, whenever the lock was.
            until = min(lock_ms, contest.result_ms)
            absent = joined.items() if only is None else [(only, joined[only])] if only in joined else []
            for player, joined_ms in absent:
                if joined_ms < until and counting(picks.get(player), lock_ms) is None:
                    yield player, missed


class _Grading:
    """One source's reading of one result. Players who chose the same share one mark."""

    def __init__(self, compiled: PickMarks, result: Result, facts: Mark) -> None:
        self._compiled = compiled
        self._source = compiled.source
        self._result = result
        self._facts = facts
        self._grades = [grade for grade in self._source.grades if self._decided(grade)]
        self._known: dict[tuple[tuple[str, ...], str | None], Mark | None] = {}

    def mark(self, choices: tuple[str, ...], stake: str | None) -> Mark | None:
        """What a pick is worth; None while the result does not decide it, or by policy."""
        key = (choices, stake)
        if key not in self._known:
            self._known[key] = self._guess(choices) if self._source.guess else self._graded(choices, stake)
        return self._known[key]

    def missed(self) -> Mark | None:
        """What it is worth not to have picked. A contest without a result in the end excuses it, unless it is lost."""
        source, status = self._source, self._result.status
        if source.missing == "default" and source.default is not None:
            mark = self.mark((source.default,), None)
            return None if mark is None else self._with(mark.values, missing=True, **(mark.attributes or {}))
        lost = status != "final" and self._policy == "lose"
        if source.missing == "hold" or not (lost or (status == "final" and self._grades)):
            return None
        if source.missing == "zero":
            return self._worth(Fraction(0), "void", missing=True)
        return self._worth(self._wrong(None), "loss", missing=True)

    @property
    def _policy(self) -> str:
        policy: str = getattr(self._source, self._result.status)
        return policy

    def _graded(self, choices: tuple[str, ...], stake: str | None) -> Mark | None:
        more: dict[str, str | int] = {"choice": ", ".join(choices)}
        if self._source.stakes is not None:
            staked = self._compiled.staked(stake)
            text = stake or format(Decimal(self._source.stakes.default), "f")
            more["stake"] = staked.numerator if staked.denominator == 1 else text
        if self._result.status != "final":
            return self._unfinished(stake, more)
        if not self._grades:
            return None
        found = [grade for grade in self._grades if self._holds(grade, choices)]
        counted = found[:1] if self._source.grading == "first" else found
        points = sum((self._points(grade, choices) for grade in counted), Fraction(0))
        verdict = "win" if found else "loss"
        if found and all(grade.when == "probability" for grade in found):
            verdict = self._leaning(found[0], choices)
        worth = points * self._compiled.staked(stake) if found else self._wrong(stake)
        return self._worth(worth, verdict, **more)

    def _unfinished(self, stake: str | None, more: dict[str, str | int]) -> Mark | None:
        if self._policy == "hold":
            return None
        if self._policy == "lose":
            return self._worth(self._wrong(stake), "loss", **more)
        return self._worth(Fraction(0), _VERDICTS[self._result.status], **more)

    def _wrong(self, stake: str | None) -> Fraction:
        return Fraction(self._source.wrong) * self._compiled.staked(stake)

    def _named(self, grade: Grade) -> list[str] | None:
        """The outcome that a grade looks at, where the result tells it."""
        return (self._result.outcomes or {}).get(grade.outcome or self._compiled.outcome)

    def _decided(self, grade: Grade) -> bool:
        """Whether the result tells what the grade needs. A market may be settled by a later revision than another."""
        if grade.when in ("choice", "probability"):
            return self._named(grade) is not None
        return self._result.score is not None

    def _holds(self, grade: Grade, choices: tuple[str, ...]) -> bool:
        if grade.when == "choice":
            return not set(choices).isdisjoint(self._named(grade) or ())
        if grade.when == "probability":
            return number_of(choices[0]) is not None
        home, away = self._result.score or (0, 0)
        if grade.when == "tendency":
            return tendency_of(choices[0]) == tendency(home, away)
        picked = score_of(choices[0])
        if picked is None:
            return False
        return picked == (home, away) if grade.when == "exact" else picked[0] - picked[1] == home - away

    def _points(self, grade: Grade, choices: tuple[str, ...]) -> Fraction:
        points = Fraction(grade.points)
        if grade.when == "probability":
            points -= Fraction(grade.penalty) * ((number_of(choices[0]) or 0) - self._came(grade)) ** 2
        return points

    def _came(self, grade: Grade) -> int:
        return 1 if grade.option in (self._named(grade) or ()) else 0

    def _leaning(self, grade: Grade, choices: tuple[str, ...]) -> str:
        """A probability wins when it leant towards what came."""
        lean = (number_of(choices[0]) or Fraction(0)) - Fraction(1, 2)
        if lean == 0:
            return "draw"
        return "win" if (lean > 0) == bool(self._came(grade)) else "loss"

    def _guess(self, choices: tuple[str, ...]) -> Mark | None:
        """The distance of a tie-break guess. It is neither won nor lost, so its mark has no verdict."""
        outcome = (self._result.outcomes or {}).get(self._compiled.outcome)
        actual = number_of(outcome[0]) if outcome and self._result.status == "final" else None
        guessed = number_of(choices[0])
        if actual is None or guessed is None:
            return None
        source, values = self._source, {}
        if source.guess != "not_over" or guessed <= actual:
            values[source.metric] = round_half_up(abs(guessed - actual) * self._compiled.unit)
        if source.over is not None:
            values[source.over] = self._compiled.over_unit if guessed > actual else 0
        return self._with(values, choice=choices[0])

    def _worth(self, points: Fraction, verdict: str, **more: str | int) -> Mark:
        values = {self._compiled.metric: round_half_up(points * self._compiled.unit)}
        return self._with(values, **more, verdict=verdict)

    def _with(self, values: dict[str, int], **more: str | int) -> Mark:
        facts = self._facts
        attributes = {**(facts.attributes or {}), **more}
        return Mark(facts.occurred_ms, 0, 0, values, facts.round, attributes, facts.origin)


class Markets:
    """All picks sources of a game, by market. `by_round` says whether rounds must be known, `joins` whether players are."""

    def __init__(self, rules: Ruleset) -> None:
        self.sources: dict[str, list[PickMarks]] = {}
        for source in rules.sources.values():
            if isinstance(source, PicksSource):
                compiled = PickMarks(source, rules.metrics)
                self.sources.setdefault(compiled.market, []).append(compiled)
        every = [compiled for sources in self.sources.values() for compiled in sources]
        self.locks_by_round = any(one.source.lock.at == "round" for one in every)
        self.unique = any(one.source.stakes is not None and one.source.stakes.unique == "round" for one in every)
        self.by_round = self.locks_by_round or self.unique
        self.joins = any(one.source.missing != "hold" for one in every)
        self._guessed = {one.outcome for one in every if one.source.guess is not None}

    def problems(self, event: Pick) -> Iterator[Problem]:
        """What the rules alone say against a pick: its market, the form of its choice, its stake."""
        sources = self.sources.get(event.market or "")
        if sources is None:
            names = sorted(self.sources)
            known = ", ".join(name or "none (leave it out)" for name in names)
            yield Problem("market", f"unknown market; known: {known}" if names else "this game takes no picks")
            return
        choices = [event.choice] if isinstance(event.choice, str) else event.choice
        rules = dict.fromkeys(choice_rule(compiled.source, choices) for compiled in sources)
        yield from (Problem("choice", rule) for rule in rules if rule is not None)
        if event.stake is not None:
            yield from _stake_problems(event.stake, sources)

    def result_problems(self, event: Result) -> Iterator[Problem]:
        """Outcomes that are guessed are numbers."""
        for name in sorted(self._guessed & (event.outcomes or {}).keys()):
            outcome = (event.outcomes or {})[name]
            if len(outcome) != 1 or number_of(outcome[0]) is None:
                yield Problem(f"outcomes.{name}", "one number such as 47, since it is guessed")


def _stake_problems(stake: Number, sources: Iterable[PickMarks]) -> Iterator[Problem]:
    tables = [compiled.source.stakes for compiled in sources if compiled.source.stakes is not None]
    if not tables:
        yield Problem("stake", "picks of this market have no stake")
    for table in tables:
        if stake < table.min:
            yield Problem("stake", f"at least {table.min}")
        if table.max is not None and stake > table.max:
            yield Problem("stake", f"at most {table.max}")
