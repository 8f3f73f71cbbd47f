"""A seeded stream of everything that the log of a game may hold, made from what its ruleset speaks of.

Values, attributes, markets and choices come out of the ruleset itself, so that its conditions are met now and then; time runs
over some weeks around the present, and corrections concern what was said before, what is yet to come, and what never will.
"""

import random
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from schemas.language import (
    AdjustmentSource,
    PicksSource,
    PlacementsSource,
    Ruleset,
    ScoreSource,
    TableSource,
)
from tests.simulation.rulesets import amended
from tests.simulation.vocabulary import vocabulary

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
Body = dict[str, Any]


class Workload:
    """`take` the next entries' bodies. `now_ms` is the log's time as far as it is known."""

    def __init__(
        self, chance: random.Random, game: str, rules: Ruleset, *, players: int = 10, freezes: bool = False
    ) -> None:
        self._freezes = freezes
        self.game = game
        self.rules = rules
        self.chance = chance
        self.now_ms = 0
        self.malformed = 0.03
        """The share of entries that cannot be understood."""
        self.players = [f"p{number}" for number in range(players)]
        self.words = vocabulary(rules)
        self._number = 0
        self._said: list[Body] = []
        self._fixtures: dict[str, Body] = {}
        self._revisions: dict[str, int] = {}
        self._days_ahead = 0
        self._kinds = list(self._weights())

    def rules_event(self, text: str) -> bytes:
        """The first version of the rules."""
        self.version, self.text = 1, text
        return msgspec.json.encode(
            {"type": "ruleset", "id": "rules-1", "game": self.game, "version": 1, "text": text, "mode": "retroactive"}
        )

    def _rules(self) -> Body:
        """Another version of the rules: the next one, one that there is already, or one that cannot be."""
        latest, text = self.version, self.text
        if self._often(0.2):
            mode = self.chance.choice(("retroactive", "from"))
            return self.event("ruleset", version=latest + self.chance.choice((0, 2)), text=text, mode=mode)
        self.version, self.text = latest + 1, amended(self.text, self.chance)
        return self.event("ruleset", version=self.version, text=self.text, mode="retroactive")

    def take(self, count: int, now_ms: int) -> list[bytes]:
        """The next bodies."""
        self.now_ms = max(self.now_ms, now_ms)
        return [self._next() for _ in range(count)]

    def _weights(self) -> Iterator[tuple[float, Callable[[], Body]]]:
        """What this game's log may hold, and how often."""
        kinds = [type(source) for source in self.rules.sources.values()]
        if ScoreSource in kinds:
            yield 8, self._score
        if AdjustmentSource in kinds:
            yield 1.5, self._adjustment
        if PicksSource in kinds:
            yield 8, self._pick
        if {PicksSource, TableSource, PlacementsSource} & set(kinds):
            yield 2, self._fixture
            yield 3, self._result
        yield 2, self._void
        yield 1, self._reinstate
        yield 1.2, self._player
        yield 0.2, self._tick
        yield 0.25, self._rules
        if self._freezes:
            yield 0.3, self._control

    def _next(self) -> bytes:
        kind = self.chance.random()
        if kind < 0.08 and self._said:
            return msgspec.json.encode(self.chance.choice(self._said[-60:]))
        if kind < 0.10 and self._said:
            other = {**self.chance.choice(self._said), "occurred_at": self.chance.randrange(1 << 40)}
            return msgspec.json.encode(other)
        if kind < 0.10 + self.malformed:
            return self._malformed()
        weights = [weight for weight, _ in self._kinds]
        body = self.chance.choices(self._kinds, weights)[0][1]()
        self._said.append(body)
        return msgspec.json.encode(body)

    def _malformed(self) -> bytes:
        wrong = self.event("score", player="p1", values={"no-such-metric": 1})
        lacking = self.event("void", event="x")
        elsewhere = {**self.event("tick", at=0), "game": "no-such-game"}
        choices = (b"{", b"\xc1\x00", *map(msgspec.json.encode, (wrong, lacking, elsewhere)))
        return self.chance.choice(choices)

    def event(self, type_: str, **fields: Any) -> Body:
        """An event with the next id; absent fields are left out."""
        self._number += 1
        given = {key: value for key, value in fields.items() if value is not None}
        return {"type": type_, "id": f"{self.game}-{self._number}", "game": self.game, **given}

    def _often(self, share: float) -> bool:
        return self.chance.random() < share

    def _when(self) -> int | str | None:
        """When something occurred: mostly in these weeks, as milliseconds or as text, or not said."""
        if self._often(0.3):
            return None
        ms = self.now_ms + self.chance.randrange(-12 * DAY_MS, 3 * DAY_MS)
        if self._often(0.2):
            # The same moment more than once, so that something else has to decide.
            ms -= ms % DAY_MS
        return ms

    def _round(self) -> int | str | None:
        return self.chance.choice((1, 1, 2, 3, 4, 5, "final"))

    def _values(self, *, negative: bool = False) -> dict[str, Any]:
        names = [name for name in self.rules.metrics if self._often(0.7)] or list(self.rules.metrics)[:1]
        return {name: self._number_for(name, negative=negative) for name in names}

    def _number_for(self, name: str, *, negative: bool) -> Any:
        metric = self.rules.metrics[name]
        low = int(metric.min) if metric.min is not None else (-3 if negative or self._often(0.1) else 0)
        high = min(low + 12, int(metric.max)) if metric.max is not None else low + 12
        number = self.chance.randint(low, 10**20 if metric.big and metric.max is None else high)
        if metric.scale and number < high and self._often(0.5):
            return f"{number}.{self.chance.randrange(10**metric.scale):0{metric.scale}d}"
        return number

    def _attributes(self, share: float = 0.7) -> dict[str, Any] | None:
        found = {
            name: self.chance.choice(values) for name, values in self.words.items() if values and self._often(share)
        }
        return found or None

    def _score(self) -> Body:
        return self.event(
            "score",
            player=self.chance.choice(self.players),
            values=self._values(),
            round=self._round() if self._often(0.6) else None,
            attributes=self._attributes(),
            occurred_at=self._when(),
        )

    def _adjustment(self) -> Body:
        return self.event(
            "adjustment",
            player=self.chance.choice(self.players),
            values=self._values(negative=True),
            reason="the jury",
            round=self._round() if self._often(0.5) else None,
            board=self.chance.choice(list(self.rules.boards)) if self._often(0.3) else None,
            occurred_at=self._when(),
        )

    def _fixture(self) -> Body:
        known = list(self._fixtures)
        name = self.chance.choice(known) if known and self._often(0.35) else f"f{self.chance.randrange(30)}"
        before = self._fixtures.get(name)
        starts = self.now_ms + self.chance.choice((-DAY_MS, 300, HOUR_MS, HOUR_MS, DAY_MS, 2 * DAY_MS))
        body = self.event(
            "fixture",
            fixture=name,
            round=before["round"] if before is not None and self._often(0.8) else self._round(),
            starts_at=starts,
            locks_at=starts - HOUR_MS // 2 if self._often(0.1) else None,
            sides=self._sides(before),
            attributes=self._attributes(),
        )
        self._fixtures[name] = body
        return body

    def _sides(self, before: Body | None) -> list[str] | None:
        if before is not None and self._often(0.9):
            return before.get("sides")  # type: ignore[no-any-return]
        return self.chance.sample(self.players, 2) if self._often(0.95) else None

    def _a_fixture(self) -> str:
        known = list(self._fixtures)
        return self.chance.choice(known) if known and self._often(0.97) else "f-unplanned"

    def _result(self) -> Body:
        fixture = self._a_fixture()
        last = self._revisions.get(fixture, 0)
        revision = max(1, last + self.chance.choice((1, 1, 1, 2, 0, -1)))
        self._revisions[fixture] = max(last, revision)
        kinds = {type(source) for source in self.rules.sources.values()}
        goals = [self.chance.choice((0, 0, 1, 1, 2, 3)) for _ in range(2)]
        return self.event(
            "result",
            fixture=fixture,
            revision=revision,
            status=self.chance.choice(("final",) * 8 + ("void", "push", "abandoned")),
            score=goals if self._often(0.9) and kinds & {TableSource, PicksSource} else None,
            placements=self._placements() if PlacementsSource in kinds else None,
            outcomes=self._outcomes() if PicksSource in kinds else None,
            attributes=self._attributes(0.3),
            round=self._round() if self._often(0.05) else None,
            occurred_at=self._when() if self._often(0.3) else None,
        )

    def _placements(self) -> list[Body]:
        lines: list[Body] = []
        for place, player in enumerate(self.chance.sample(self.players, min(6, len(self.players))), 1):
            line: Body = {"player": player, "attributes": self._attributes(0.3) or {}, "values": self._values()}
            if self._often(0.9):
                line["position"] = place
            words = [word for word in self.words.get("status", []) if isinstance(word, str)]
            if words and self._often(0.8):
                line["status"] = self.chance.choice(words)
            if self._often(0.1):
                line["seat"] = self.chance.choice(("one", "two"))
            lines.append(line)
        return lines

    def _outcomes(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for source in self.rules.sources.values():
            if isinstance(source, PicksSource) and self._often(0.9):
                if source.guess is not None:
                    found[source.market or "winner"] = [str(self.chance.randint(20, 60))]
                for grade in source.grades:
                    found[grade.outcome or source.market or "winner"] = self._options(grade.option)
        return found

    def _options(self, option: str | None) -> list[str]:
        if option is not None:
            return [self.chance.choice((option, "other"))]
        return [f"c{number}" for number in self.chance.sample(range(4), self.chance.choice((0, 1, 1, 2)))]

    def _pick(self) -> Body:
        source = self.chance.choice([one for one in self.rules.sources.values() if isinstance(one, PicksSource)])
        return self.event(
            "pick",
            player=self.chance.choice(self.players),
            fixture=self._a_fixture(),
            market=source.market,
            choice=self._choice(source),
            stake=self.chance.randint(1, 5) if source.stakes is not None and self._often(0.8) else None,
        )

    def _choice(self, source: PicksSource) -> str | list[str]:
        kinds = {grade.when for grade in source.grades}
        if source.guess is not None:
            return str(self.chance.randint(20, 60))
        if kinds & {"exact", "difference", "tendency"}:
            return f"{self.chance.randrange(3)}-{self.chance.randrange(3)}"
        if "probability" in kinds:
            return self.chance.choice(("0", "0.25", "0.5", "0.75", "0.9", "1"))
        return [f"c{self.chance.randrange(4)}"] if self._often(0.2) else f"c{self.chance.randrange(4)}"

    def _target(self) -> str:
        """An event to correct: a late one, an old one, one to come, or none."""
        kind = self.chance.random()
        if not self._said or kind < 0.05:
            return "never-said"
        if kind < 0.15:
            return f"{self.game}-{self._number + self.chance.randrange(2, 12)}"
        if kind < 0.2:
            return str(self.chance.choice(self._said)["id"])
        worthy = [body for body in self._said if body["type"] in ("score", "adjustment", "pick", "result")]
        return str(self.chance.choice(worthy[-80:] or self._said)["id"])

    def _void(self) -> Body:
        return self.event("void", event=self._target(), reason="a mistake")

    def _reinstate(self) -> Body:
        voided = [body["event"] for body in self._said if body["type"] == "void"]
        target = self.chance.choice(voided[-20:]) if voided and self._often(0.9) else self._target()
        return self.event("reinstate", event=target, reason="no mistake")

    def _player(self) -> Body:
        player = self.chance.choice(self.players)
        status = self.chance.choice((None, None, "active", "active", "active", "hidden", "banned", "erased"))
        if status == "erased" and self._often(0.5):
            status = "active"
        traits = {
            name: self.chance.choice(("no", "se", "dk"))
            for board in self.rules.boards.values()
            for name, of in board.segments.items()
            if of == "player"
        }
        return self.event("player", player=player, status=status, attributes=traits or None, name=f"Name of {player}")

    def _control(self) -> Body:
        """The public view of a board, or of all, stands still, goes on, or is final; now and then of one that is not there."""
        type_ = self.chance.choice(("freeze", "freeze", "thaw", "thaw", "close"))
        board = self.chance.choice((*self.rules.boards, None, "no-such-board"))
        periods = self.rules.boards[board].periods if board in self.rules.boards else ["all"]
        return self.event(type_, board=board, period="all" if "all" in periods and self._often(0.4) else None)

    def _tick(self) -> Body:
        self._days_ahead += self.chance.randrange(3)
        return self.event("tick", at=self.now_ms + self._days_ahead * DAY_MS)
