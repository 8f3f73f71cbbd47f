"""Reads a folder of seasons whose tables are decided head-to-head, and turns each into a ruleset and events.

The order of criteria is data: laliga.toml has the usual one, and a rules.json in the folder, or in the folder `football`
beside it, can name another in words.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path

from examples.f1.corpus import Line, rows
from schemas.events import Adjustment, AnyEvent, Fixture, Result

RULES = Path(__file__).with_name("laliga.toml")
KICK_OFF_HOUR = 18
DECISION_HOUR = 23
MINI = re.compile(r"\s*\b(in|between|among)\b.*\b(matches|tied|level)\b.*")
METRICS = {
    "points": "points desc",
    "goal difference": "goal_difference desc",
    "goals for": "goals_for desc",
    "goals against": "goals_against asc",
    "wins": "won desc",
}


@dataclass(frozen=True)
class Season:
    """One season: its matches in order of date, and the lines of the other files that are about it.

    `order` says the criteria in words; without it those of laliga.toml hold.
    """

    name: str
    order: list[str] | None
    matches: list[Line] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    decisions: list[Line] = field(default_factory=list)
    exceptions: list[Line] = field(default_factory=list)

    @property
    def game(self) -> str:
        """The game's name: one game a season."""
        return f"laliga-{re.sub('[^a-z0-9._-]', '-', self.name.lower())}"


def read_seasons(folder: Path) -> dict[str, Season]:
    """The seasons of a folder that have matches, by name."""
    order = _order(folder)
    seasons: dict[str, Season] = {}
    for line in rows(folder / "matches.csv"):
        seasons.setdefault(line["season"], Season(line["season"], order)).matches.append(line)
    if not seasons:
        raise ValueError("no matches.csv with matches in it")
    names = ("tables", "adjustments", "published_exceptions")
    tables, decisions, exceptions = (list(rows(folder / f"{name}.csv")) for name in names)
    for season in seasons.values():
        season.matches.sort(key=lambda match: match["date"])
        season.lines.extend(line for line in tables if line["season"] == season.name)
        season.decisions.extend(line for line in decisions if line["season"] == season.name)
        season.exceptions.extend(line for line in exceptions if line["season"] == season.name)
        if not season.decisions:
            # Without a list of decisions the published table tells what was taken off, though not when.
            last = season.matches[-1]["date"]
            off = [line for line in season.lines if line.get("deduction")]
            season.decisions.extend({**line, "date": last, "points": line["deduction"]} for line in off)
    return dict(sorted(seasons.items()))


def _order(folder: Path) -> list[str] | None:
    for path in (folder / "rules.json", folder.resolve().parent / "football" / "rules.json"):
        if path.exists():
            rules = json.loads(path.read_text(encoding="utf-8"))
            words: list[str] | None = rules.get("laliga", rules).get("order")
            if words:
                return words
    return None


def ruleset(season: Season) -> str:
    """The ruleset of a season's game as TOML; raises ValueError for a criterion in words that are not known here."""
    text = RULES.read_text(encoding="utf-8").replace('game = "laliga"', f'game = "{season.game}"', 1)
    if season.order is None:
        return text
    return re.sub(r"(?m)^rank_by = .*$", f"rank_by = [{', '.join(_rank_by(season.order))}]", text)


def _rank_by(order: list[str]) -> list[str]:
    """The criteria of a board; those that look at the same matches, one behind the other, are one criterion."""
    items: list[str | list[str]] = []
    for words in order:
        name = MINI.sub("", words.lower())
        if name not in METRICS:
            raise ValueError(f"a criterion in unknown words: {words!r}; known: {', '.join(METRICS)}")
        text = f'"{METRICS[name]}"'
        if name == words.lower():
            items.append(text)
        elif items and isinstance(items[-1], list):
            items[-1].append(text)
        else:
            items.append([text])
    return [item if isinstance(item, str) else f"{{ head_to_head = [{', '.join(item)}] }}" for item in items]


def events(season: Season) -> Iterator[AnyEvent]:
    """All fixtures, then the results in order of date, then what officials took off or gave."""
    for at, match in enumerate(season.matches, 1):
        yield Fixture(
            id=f"{season.game}:fixture-{at}",
            game=season.game,
            fixture=_fixture(match),
            round=int(match["round"]) if match["round"].isdecimal() else match["round"] or 1,
            starts_at=_at(match["date"], KICK_OFF_HOUR),
            sides=[match["home"], match["away"]],
        )
    for at, match in enumerate(season.matches, 1):
        yield Result(
            id=f"{season.game}:result-{at}",
            game=season.game,
            fixture=_fixture(match),
            score=[int(match["home_goals"]), int(match["away_goals"])],
        )
    for at, decision in enumerate(season.decisions, 1):
        yield Adjustment(
            id=f"{season.game}:decision-{at}",
            game=season.game,
            occurred_at=_at(decision["date"], DECISION_HOUR),
            player=decision["team"],
            values={"points": Decimal(decision["points"])},
            reason="decided by the league",
        )


def _fixture(match: Line) -> str:
    return f"{match['date']} {match['home']} - {match['away']}"


def _at(day: str, hour: int) -> datetime:
    moment = date.fromisoformat(day)
    return datetime(moment.year, moment.month, moment.day, hour, tzinfo=UTC)
