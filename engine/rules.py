"""A compiled game: the ruleset made ready to turn events into marks, and to say what is wrong with an event."""

from collections.abc import Iterator, Sequence

from engine.boards import BoardPlan
from engine.clock import days_in
from engine.matches import TableMarks
from engine.numbers import scaled
from engine.picks import Markets, PickMarks
from engine.placements import PlacementMarks
from engine.sources import ContestSource, ValueSource
from schemas.checks import ID_RULE, good_id, number_problems
from schemas.errors import Problem
from schemas.events import (
    Adjustment,
    Attributes,
    Close,
    Event,
    Fixture,
    Freeze,
    Number,
    Pick,
    Result,
    Score,
    Thaw,
    Values,
)
from schemas.language import (
    AdjustmentSource,
    MetricType,
    PicksSource,
    PlacementsSource,
    Ruleset,
    ScoreSource,
    Source,
    TableSource,
    TieBreak,
    rank_item,
)


class Game:
    """The rules of one game, compiled. Public: rules, boards, check."""

    def __init__(self, rules: Ruleset) -> None:
        self.rules = rules
        self.boards = {name: BoardPlan(name, board, rules) for name, board in rules.boards.items()}
        self.clocked = [name for name, plan in self.boards.items() if plan.shape.clocked or plan.windows]
        self.days = days_in(rules.time_zone)
        self.score_routes: list[tuple[ValueSource, list[BoardPlan]]] = []
        self.adjustment_routes: list[tuple[ValueSource, list[BoardPlan]]] = []
        self.contest_routes: list[tuple[ContestSource, list[BoardPlan]]] = []
        self.pick_routes: list[tuple[PickMarks, list[BoardPlan]]] = []
        self.markets = Markets(rules)
        for name, source in rules.sources.items():
            self._add_route(name, source)
        self.traits = {name for plan in self.boards.values() for name in plan.player_segments}
        self.copied = any(plan.copied for plan in self.boards.values())
        self.badged = any(plan.badges is not None for plan in self.boards.values())
        routes = [(source, plan) for source, plans in self.score_routes for plan in plans]
        # A board that takes a score twice has two marks of it, each of which counts or does not.
        once = len({plan.name for _, plan in routes}) == len(routes)
        self.straight = (once and not self.badged) and all(
            source.plain and plan.where is None and "mark" not in plan.board.segments.values()
            for source, plan in routes
        )
        self.plain = all(
            metric.scale == 0 and metric.min is None and metric.max is None for metric in rules.metrics.values()
        )
        self._limits = rules.metrics
        self._tables = [source for source in rules.sources.values() if isinstance(source, TableSource)]
        self._entrants = {source.entrant for source in rules.sources.values() if source.entrant is not None}
        for plan in self.boards.values():
            self._entrants |= {name for name, of in plan.board.segments.items() if of == "mark"}

    def _add_route(self, name: str, source: Source) -> None:
        """Remembers which boards take the marks of a source, unless none does."""
        takers = [plan for plan in self.boards.values() if plan.board.sources is None or name in plan.board.sources]
        if not takers:
            return
        metrics = self.rules.metrics
        if isinstance(source, ScoreSource):
            self.score_routes.append((ValueSource(source, metrics), takers))
        elif isinstance(source, AdjustmentSource):
            self.adjustment_routes.append((ValueSource(source, metrics), takers))
        elif isinstance(source, PlacementsSource):
            self.contest_routes.append((PlacementMarks(source, metrics), takers))
        elif isinstance(source, TableSource):
            self.contest_routes.append((TableMarks(source, metrics), takers))
        elif isinstance(source, PicksSource):
            self.pick_routes.append((PickMarks(source, metrics), takers))

    def check(self, event: Event) -> list[Problem]:
        """What the ruleset forbids about an event: undeclared metrics, digits, bounds, boards it does not have."""
        if type(event) is Score:
            if event.attributes and self._entrants:
                problems = list(self._entrant_problems("attributes", event.attributes))
                return problems + list(self._value_problems("values", event.values))
            if self.plain and event.values.keys() <= self._limits.keys():
                for value in event.values.values():
                    if type(value) is not int:
                        break
                else:
                    return []
            return list(self._value_problems("values", event.values))
        if isinstance(event, Adjustment):
            problems = list(self._value_problems("values", event.values, bounded=False))
            if event.board is not None and event.board not in self.boards:
                problems.append(Problem("board", f"unknown board; this game has {', '.join(self.boards)}"))
            return problems
        if isinstance(event, Freeze | Thaw | Close):
            return list(self._control_problems(event))
        if isinstance(event, Pick):
            return list(self.markets.problems(event))
        if isinstance(event, Fixture):
            return list(self._fixture_problems(event))
        return self._result_problems(event) if isinstance(event, Result) else []

    def declares(self, scores: Sequence[Score]) -> bool:
        """Whether `check` has nothing to say about scores of integers that have no attributes, told of all at once."""
        return self.plain and set().union(*[score.values for score in scores]) <= self._limits.keys()

    def _result_problems(self, event: Result) -> list[Problem]:
        problems = list(self._entrant_problems("attributes", event.attributes or {}))
        problems += self._score_problems(event.score or [])
        problems += self.markets.result_problems(event)
        for index, line in enumerate(event.placements or ()):
            problems += self._value_problems(f"placements[{index}].values", line.values or {})
            problems += self._entrant_problems(f"placements[{index}].attributes", line.attributes or {})
        return problems

    def _control_problems(self, event: Freeze | Thaw | Close) -> Iterator[Problem]:
        """A freeze or close names boards and periods that the game can have; a thaw may be of what rules had before."""
        if isinstance(event, Thaw):
            return
        if event.board is not None and event.board not in self.boards:
            yield Problem("board", f"unknown board; this game has {', '.join(self.boards)}")
            return
        boards = self.boards.values() if event.board is None else (self.boards[event.board],)
        if event.period is not None and not any(plan.may_have(event.period) for plan in boards):
            yield Problem("period", "a period such as all, round:7 or daily:2026-02-08 that the board has")

    def _fixture_problems(self, event: Fixture) -> Iterator[Problem]:
        yield from self._entrant_problems("attributes", event.attributes or {})
        if self._tables and event.sides is not None and len(set(event.sides)) < len(event.sides):
            yield Problem("sides", "nobody plays against himself")

    def _score_problems(self, score: list[int]) -> Iterator[Problem]:
        """What a match was scored with lies within the bounds of the metrics that it goes into."""
        used = {name for source in self._tables for name in (source.scored, source.conceded) if name is not None}
        for name in sorted(used):
            for index, number in enumerate(score):
                yield from _metric_problems(f"score[{index}]", number, self._limits[name], bounded=True)

    def _entrant_problems(self, at: str, attributes: Attributes) -> Iterator[Problem]:
        """Attributes that are ranked like players, or that segments are made of, are ids."""
        for name in self._entrants & attributes.keys():
            if not good_id(str(attributes[name])):
                yield Problem(f"{at}.{name}", ID_RULE)

    def _value_problems(self, at: str, values: Values, *, bounded: bool = True) -> Iterator[Problem]:
        for name, value in values.items():
            metric = self._limits.get(name)
            if metric is None:
                known = ", ".join(sorted(self._limits)) or "none"
                yield Problem(f"{at}.{name}", f"unknown metric; this game declares {known}")
            else:
                yield from _metric_problems(f"{at}.{name}", value, metric, bounded=bounded)


def _metric_problems(field: str, value: Number, metric: MetricType, *, bounded: bool) -> Iterator[Problem]:
    exact = scaled(value, metric.scale)
    if exact is None and metric.rounding == "refuse":
        yield Problem(field, f"at most {metric.scale} digits behind the point")
    elif exact is not None:
        yield from number_problems(field, exact)
    if bounded and metric.min is not None and value < metric.min:
        yield Problem(field, f"at least {metric.min}")
    if bounded and metric.max is not None and value > metric.max:
        yield Problem(field, f"at most {metric.max}")


def compile_ruleset(rules: Ruleset) -> Game:
    """The compiled form of a ruleset that `schemas.ruleset.parse` has checked."""
    return Game(rules)


def _tie_break(item: TieBreak) -> str:
    if item.lot is not None:
        return "lot"
    if item.head_to_head:
        return f"head-to-head ({', '.join(_criterion(criterion) for criterion in item.head_to_head)})"
    return f"countback of {item.countback}s"


def _criterion(item: str) -> str:
    name, descending = rank_item(item)
    return "first to reach" if name == "reached" else f"{name} ({'most' if descending else 'least'} first)"


def ranked_by(plan: BoardPlan) -> list[str]:
    """The criteria of a board in words, for people."""
    return [_criterion(item) if isinstance(item, str) else _tie_break(item) for item in plan.board.rank_by]
