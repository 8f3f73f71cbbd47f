"""Picks: which were accepted, as the log stood when they came, and what they are worth in the end. Part of the auditor."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from schemas.choices import number_of, score_of, tendency, tendency_of
from schemas.codec import epoch_ms
from schemas.events import Fixture, Pick, Player, Reinstate, Result, Void
from schemas.language import Grade, PicksSource, Ruleset
from tests.simulation.accepting import History, Said
from tests.simulation.marking import Mark, meets, rounded

if TYPE_CHECKING:
    from tests.simulation.sources import Contest

MINUTE_MS = 60_000


@dataclass
class Book:
    """`follow` every event that counted when it came; `picks` are the accepted ones of a fixture, in order."""

    history: History
    rules: Ruleset
    fixtures: dict[str, Said] = field(default_factory=dict)
    results: dict[str, list[Said]] = field(default_factory=dict)
    accepted: dict[str, Said] = field(default_factory=dict)
    entered: list[Said] = field(default_factory=list)
    """Picks in the order in which they were first accepted."""

    @property
    def joined(self) -> dict[str, int]:
        """Since when each player takes part."""
        found: dict[str, int] = {}
        for said in self.entered:
            found.setdefault(self._who(said), said.entry[0])
        return found

    def follow(self, said: Said) -> None:
        """The event has just been taken by the history."""
        event = said.event
        if isinstance(event, Fixture):
            self.fixtures[event.fixture] = said
        elif isinstance(event, Result):
            self.results.setdefault(event.fixture, []).append(said)
        elif isinstance(event, Pick):
            if self._judge(said, again=False):
                self._accept(said)
            else:
                self.history.effects.rejected.add(event.id)
        elif isinstance(event, Void | Reinstate):
            self._correct(event, said)

    def _correct(self, event: Void | Reinstate, said: Said) -> None:
        target = self.history.seen.get(event.event)
        if target is None or not isinstance(target.event, Pick) or target.entry >= said.entry:
            return
        if isinstance(event, Void):
            self.accepted.pop(event.event, None)
        elif event.event not in self.accepted and self._judge(target, again=True):
            self._accept(target)

    def _accept(self, said: Said) -> None:
        self.accepted[said.event.id] = said
        self.entered.append(said)

    def _who(self, said: Said) -> str:
        assert isinstance(said.event, Pick)
        return self.history.name(said.event.player, said.entry)

    def _judge(self, said: Said, *, again: bool) -> bool:
        """Whether a pick is in time as things stand. One that counts `again` is judged for the rest as when it came."""
        event = said.event
        assert isinstance(event, Pick)
        status = self._status_at(said) if again else self.history.effects.status.get(self._who(said))
        if status in ("banned", "erased"):
            return False
        fixture = self.fixtures.get(event.fixture)
        if fixture is None:
            return False
        sources = [
            one for one in self.rules.sources.values() if isinstance(one, PicksSource) and one.market == event.market
        ]
        facts = Mark("", "", {}, 0, (0, 0), "", self._round(event.fixture), self._facts(event.fixture, event.market))
        asked = [one for one in sources if meets(one.where, facts, self.rules.metrics)] or sources
        locks = [self.lock(one, event.fixture) for one in asked]
        if all(lock is not None for lock in locks):
            if said.entry[0] >= max(lock for lock in locks if lock is not None):
                return False
            result = self._result(event.fixture, said.entry)
            if result is not None and result.status == "final":
                return False
        return not any(self._stake_used(one, said) for one in asked)

    def _status_at(self, said: Said) -> str | None:
        """How the player of a pick stood when it came."""
        status: str | None = None
        for earlier in self.history.seen.values():
            event = earlier.event
            if earlier.entry < said.entry and isinstance(event, Player) and event.status is not None:
                assert isinstance(said.event, Pick)
                if event.player == said.event.player:
                    gone = event.status == "erased" and not event.player.startswith("erased-")
                    status = None if gone or event.status == "active" else event.status
        return status

    def _result(self, fixture: str, before: tuple[int, int] | None = None) -> Result | None:
        """The result that holds of those that there were before an entry, or of all."""
        from tests.simulation.sources import result_that_holds

        results = [one for one in self.results.get(fixture, []) if before is None or one.entry < before]
        held = result_that_holds(results, self.history.effects.void)
        return None if held is None else held.event  # type: ignore[return-value]

    def _round(self, fixture: str) -> str | int | None:
        result, planned = self._result(fixture), self.fixtures[fixture].event
        assert isinstance(planned, Fixture)
        return result.round if result is not None and result.round is not None else planned.round

    def _facts(self, fixture: str, market: str | None) -> dict[str, Any]:
        planned, result = self.fixtures[fixture].event, self._result(fixture)
        assert isinstance(planned, Fixture)
        facts = {**(planned.attributes or {}), **((result.attributes if result is not None else None) or {})}
        return {**facts, "market": market} if market is not None else facts

    def lock(self, source: PicksSource, fixture: str) -> int | None:
        """Picks recorded before this count; None: all do."""
        planned = self.fixtures[fixture].event
        assert isinstance(planned, Fixture)
        if planned.locks_at is not None:
            return epoch_ms(planned.locks_at)
        if source.lock.at == "never":
            return None
        start = epoch_ms(planned.starts_at)
        if source.lock.at == "round":
            start = min(
                epoch_ms(one.event.starts_at)  # type: ignore[union-attr]
                for one in self.fixtures.values()
                if one.event.round == planned.round  # type: ignore[union-attr]
            )
        return start - source.lock.minutes * MINUTE_MS

    def _stake_used(self, source: PicksSource, said: Said) -> bool:
        """Whether the player's counting pick of another fixture of the round has the same stake, and may not."""
        if source.stakes is None or source.stakes.unique != "round":
            return False
        event = said.event
        assert isinstance(event, Pick)
        planned = self.fixtures[event.fixture].event
        for fixture, other in self.fixtures.items():
            if fixture != event.fixture and other.event.round == planned.round:  # type: ignore[union-attr]
                held = self.counting(source, fixture).get(self._who(said))
                if held is not None and staked(source, held) == staked(source, event):
                    return True
        return False

    def counting(self, source: PicksSource, fixture: str) -> dict[str, Pick]:
        """The pick of each player that counts: the last one before the lock."""
        lock = self.lock(source, fixture)
        found: dict[str, Pick] = {}
        for said in sorted(self.accepted.values(), key=lambda one: one.entry):
            event = said.event
            assert isinstance(event, Pick)
            if (event.fixture, event.market) == (fixture, source.market) and (lock is None or said.entry[0] < lock):
                found[self._who(said)] = event
        return found


def staked(source: PicksSource, pick: Pick | None) -> Fraction:
    """What a pick multiplies its points by."""
    if source.stakes is None:
        return Fraction(1)
    return Fraction(source.stakes.default if pick is None or pick.stake is None else pick.stake)


def pick_marks(name: str, source: PicksSource, contest: "Contest", book: Book, rules: Ruleset) -> Iterator[Mark]:
    """The marks of who picked, and of who took part and did not."""
    result = contest.result
    if result is None or contest.planned is None:
        return
    facts = {**contest.facts, **({"market": source.market} if source.market is not None else {})}
    blank = Mark("", name, {}, contest.at, (0, 0), contest.name, contest.round, facts)
    if not meets(source.where, blank, rules.metrics):
        return
    picked = book.counting(source, contest.name)
    for player, pick in picked.items():
        worth = (guessed if source.guess else graded)(source, pick.choice, pick, result, rules)
        if worth is not None:
            values, more = worth
            yield Mark(player, name, values, contest.at, (0, 0), contest.name, contest.round, {**facts, **more})
    lock = book.lock(source, contest.name)
    for player, since in book.joined.items():
        # Who came only after the result cannot have missed it.
        in_time = since < contest.result_entry[0] and (lock is None or since < lock)
        if player not in picked and in_time:
            worth = missed(source, result, rules)
            if worth is not None:
                values, more = worth
                more = {**facts, **more, "missing": True}
                yield Mark(player, name, values, contest.at, (0, 0), contest.name, contest.round, more)


def missed(source: PicksSource, result: Result, rules: Ruleset) -> tuple[dict[str, Fraction], dict[str, Any]] | None:
    """What it is worth to have taken part, and not to have picked."""
    if source.missing == "default":
        assert source.default is not None
        return (guessed if source.guess else graded)(source, source.default, None, result, rules)
    if source.missing == "hold":
        return None
    if result.status == "final":
        if not any(tells(grade, source, result) for grade in source.grades):
            return None
    elif getattr(source, result.status) != "lose":
        return None
    if source.missing == "zero":
        return {source.metric: Fraction(0)}, {"verdict": "void"}
    points = Fraction(source.wrong) * staked(source, None)
    return {source.metric: rounded(points, rules.metrics[source.metric].scale)}, {"verdict": "loss"}


def graded(
    source: PicksSource, choice: str | list[str], pick: Pick | None, result: Result, rules: Ruleset
) -> tuple[dict[str, Fraction], dict[str, Any]] | None:
    """(values, attributes) of a choice's mark; None while the result does not decide it, or by policy. `pick` has the stake."""
    choices = [choice] if isinstance(choice, str) else list(choice)
    stake = staked(source, pick)
    more: dict[str, Any] = {"choice": ", ".join(choices)}
    if source.stakes is not None:
        default = pick is None or pick.stake is None
        more["stake"] = int(stake) if stake.denominator == 1 else str(source.stakes.default if default else pick.stake)  # type: ignore[union-attr]
    if result.status != "final":
        policy = getattr(source, result.status)
        if policy == "hold":
            return None
        verdict = "loss" if policy == "lose" else "push" if result.status == "push" else "void"
        points = Fraction(source.wrong) * stake if policy == "lose" else Fraction(0)
    else:
        told = [grade for grade in source.grades if tells(grade, source, result)]
        if not told:
            return None
        right = [grade for grade in told if holds(grade, source, choices, result)]
        counted = right[:1] if source.grading == "first" else right
        points = sum((worth_of(grade, source, choices, result) for grade in counted), Fraction(0)) * stake
        verdict = "win" if right else "loss"
        if not right:
            points = Fraction(source.wrong) * stake
        elif all(grade.when == "probability" for grade in right):
            verdict = leaning(right[0], source, choices, result)
    return {source.metric: rounded(points, rules.metrics[source.metric].scale)}, {**more, "verdict": verdict}


def outcome_of(grade: Grade, source: PicksSource, result: Result) -> list[str] | None:
    """The outcome that a grade looks at."""
    return (result.outcomes or {}).get(grade.outcome or source.market or "winner")


def tells(grade: Grade, source: PicksSource, result: Result) -> bool:
    """Whether the result says what the grade needs."""
    if grade.when in ("choice", "probability"):
        return outcome_of(grade, source, result) is not None
    return result.score is not None


def holds(grade: Grade, source: PicksSource, choices: list[str], result: Result) -> bool:
    """Whether a pick is right in this way."""
    if grade.when == "choice":
        return any(choice in (outcome_of(grade, source, result) or []) for choice in choices)
    if grade.when == "probability":
        return True
    home, away = result.score or (0, 0)
    if grade.when == "tendency":
        return tendency_of(choices[0]) == tendency(home, away)
    picked = score_of(choices[0])
    if picked is None:
        return False
    return picked == (home, away) if grade.when == "exact" else picked[0] - picked[1] == home - away


def worth_of(grade: Grade, source: PicksSource, choices: list[str], result: Result) -> Fraction:
    """What a grade that holds is worth."""
    if grade.when != "probability":
        return Fraction(grade.points)
    came = 1 if grade.option in (outcome_of(grade, source, result) or []) else 0
    return Fraction(grade.points) - Fraction(grade.penalty) * (Fraction(choices[0]) - came) ** 2


def leaning(grade: Grade, source: PicksSource, choices: list[str], result: Result) -> str:
    """A probability is won when it leant towards what came."""
    lean = Fraction(choices[0]) - Fraction(1, 2)
    came = grade.option in (outcome_of(grade, source, result) or [])
    return "draw" if lean == 0 else "win" if (lean > 0) == came else "loss"


def guessed(
    source: PicksSource, choice: str | list[str], pick: Pick | None, result: Result, rules: Ruleset
) -> tuple[dict[str, Fraction], dict[str, Any]] | None:
    """The distance of a guess from what came."""
    outcome = (result.outcomes or {}).get(source.market or "winner")
    text = choice if isinstance(choice, str) else choice[0]
    guess = number_of(text)
    actual = number_of(outcome[0]) if outcome and result.status == "final" else None
    if guess is None or actual is None:
        return None
    values: dict[str, Fraction] = {}
    if source.guess != "not_over" or guess <= actual:
        values[source.metric] = rounded(abs(guess - actual), rules.metrics[source.metric].scale)
    if source.over is not None:
        values[source.over] = Fraction(int(guess > actual))
    return values, {"choice": text}
