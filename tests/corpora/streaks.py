"""The corpus of record streaks: each is the longest streak of one entrant over the whole history of another corpus beside it.

Every record makes two boards. One holds the whole history and must show the published number as the longest streak. The
other holds only what happened from the first to the last published day: there it must be one streak with both ends in it.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from examples.f1.corpus import Line, rows
from schemas.events import AnyEvent, AttributeValue, Fixture, Placement, Result
from tests.corpora.contest import Cell, Contest, Corpus, Official, Recipe, Step
from tests.corpora.streak_words import Asked, UnknownWordsError, Where, of_matches, of_races

FINAL = "final"
STEP_EVENTS = 900
NOT_STARTED = frozenset(("DNS", "DNQ", "DNPQ", "DNP", "EX"))
LAST_PLACE = 1_000_000
RECORDS_MAX = 30
"""Each makes two boards, and a ruleset has 64 at most."""

SOURCES = """
[sources.matches]
origin = "table"
where = { kind = "match" }
scored = "scored"
conceded = "conceded"
[sources.entrants]
origin = "placements"
[sources.constructors]
origin = "placements"
entrant = "constructor"
"""


@dataclass(frozen=True)
class Record:
    """A published streak. The days are numbers such as 20130825, or None where the corpus names none."""

    number: int
    entrant: str
    words: str
    published: Decimal
    computed: Decimal
    first: int | None
    last: int | None


class History(NamedTuple):
    """All results of a corpus, oldest first, as far as they concern the entrants asked for.

    `day_of` reads how the corpus names a day; `read` understands a streak's name; `per` are the metric's own settings;
    `source_of` tells under which source an entrant is found.
    """

    events: list[AnyEvent]
    day_of: Callable[[str], int | None]
    read: Callable[[str], Asked]
    per: str
    source_of: Callable[[str], str]
    seasons: dict[str, str]
    """The first season of each entrant."""


def seasons(folder: Path) -> list[str]:
    """The corpora that the records are about, in parts when they are many."""
    return [label for label, _, _ in _parts(folder)]


def contests(folder: Path, chosen: list[str]) -> Iterator[tuple[str, Recipe]]:
    """One for each part of a corpus that records are about."""
    for label, corpus, lines in _parts(folder):
        if label in chosen:
            yield label, partial(_contest, label, folder.parent / corpus, lines)


def _parts(folder: Path) -> list[tuple[str, str, list[Line]]]:
    """(label, corpus, lines of known.csv), no more lines than a ruleset has room for."""
    of_corpus: dict[str, list[Line]] = {}
    for line in rows(folder / "known.csv"):
        of_corpus.setdefault(line["corpus"], []).append(line)
    if not of_corpus:
        raise ValueError("known.csv names no streak")
    return [
        (f"{corpus}-{at // RECORDS_MAX + 1}" if at else corpus, corpus, lines[at : at + RECORDS_MAX])
        for corpus, lines in of_corpus.items()
        for at in range(0, len(lines), RECORDS_MAX)
    ]


def _contest(label: str, folder: Path, lines: list[Line]) -> Contest:
    game = f"streaks-{label}"
    history = _history(folder, game, {line["entity"] for line in lines})
    official: dict[tuple[str, str], list[Official]] = {}
    excused: dict[Cell, Decimal | None] = {}
    unknown: dict[Cell, str] = {}
    boards = [SOURCES]
    for number, line in enumerate(lines, 1):
        cell = Cell(line["streak"], FINAL, line["entity"], "longest")
        try:
            asked = history.read(line["streak"])
            record = _record(number, line, history)
        except UnknownWordsError as error:
            unknown[cell] = str(error)
            continue
        for name, board, values in _boards(record, asked, history):
            boards.append(board)
            official[FINAL, name] = [Official(record.entrant, 1, values, LAST_PLACE)]
            if record.published != record.computed:
                excused[Cell(name, FINAL, record.entrant, "longest")] = record.computed
    head = f'game = "{game}"\n[metrics.points]\n[metrics.scored]\n[metrics.conceded]\n'
    return Contest(
        season=label,
        game=game,
        ruleset=head + "".join(boards),
        steps=_steps(history.events),
        official=official,
        excused=excused,
        partial=True,
        unknown=unknown,
    )


def _record(number: int, line: Line, history: History) -> Record:
    published = Decimal(line["published"] or line["computed"])
    first, last = history.day_of(line["first"]), history.day_of(line["last"])
    computed = Decimal(line["computed"]) if line["computed"] else published
    return Record(number, line["entity"], line["streak"], published, computed, first, last)


def _boards(record: Record, asked: Asked, history: History) -> Iterator[tuple[str, str, dict[str, Decimal]]]:
    """(name, TOML, what the entrant's line must show)."""
    if asked.first_season:
        scope = {**asked.scope, "season": history.seasons.get(record.entrant, "")}
        asked = replace(asked, scope=scope)
    source = history.source_of(record.entrant)
    longest = {"longest": asked.adds}
    yield (
        f"r{record.number}",
        _board(f"r{record.number}", source, asked.scope, longest, history.per),
        {"longest": record.published},
    )
    if record.first is None or record.last is None:
        return
    name, days = f"r{record.number}-days", {"day": {"min": record.first, "max": record.last}}
    ends = {"opens": {**asked.adds, "day": record.first}, "closes": {**asked.adds, "day": record.last}}
    text = _board(name, source, {**asked.scope, **days}, longest | ends, history.per)
    yield name, text, {"longest": record.published, "opens": Decimal(1), "closes": Decimal(1)}


def _board(name: str, source: str, scope: Where, metrics: dict[str, Where], per: str) -> str:
    lines = [f"[boards.{name}]", f'sources = ["{source}"]', f"where = {_toml(scope)}", 'rank_by = ["longest desc"]']
    lines += [
        f'metrics.{key} = {{ op = "longest_streak", where = {_toml(adds)}{per} }}' for key, adds in metrics.items()
    ]
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """A value as TOML writes it in one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)


def _steps(events: list[AnyEvent]) -> list[Step]:
    """The events in pieces that one request takes; nothing is published but after the last."""
    pieces = [events[at : at + STEP_EVENTS] for at in range(0, len(events), STEP_EVENTS)] or [[]]
    return [Step(str(number), piece) for number, piece in enumerate(pieces[:-1], 1)] + [Step(FINAL, pieces[-1])]


def _history(folder: Path, game: str, entrants: set[str]) -> History:
    if (folder / "races.csv").exists():
        return _races(game, list(rows(folder / "races.csv")), entrants)
    lines = [*rows(folder / "matches.csv"), *rows(folder / "games.csv")]
    if not lines:
        raise ValueError(f"{folder} has no races.csv, matches.csv or games.csv")
    return _matches(game, lines, entrants)


def _matches(game: str, lines: list[Line], entrants: set[str]) -> History:
    events: list[AnyEvent] = []
    first: dict[str, str] = {}
    played = [line for line in lines if entrants & {line["home"], line["away"]} and _score(line) is not None]
    for number, line in enumerate(sorted(played, key=lambda line: line["date"])):
        for side in (line["home"], line["away"]):
            first.setdefault(side, line["season"])
        attributes: dict[str, AttributeValue] = {
            "kind": "match",
            "day": _number(line["date"]),
            "season": line["season"],
        }
        attributes |= {name: line[name] for name in ("division", "playoff") if line.get(name)}
        attributes |= {"neutral": True} if line.get("neutral") in ("1", "true") else {}
        fixture = f"m{number}"
        events += [
            Fixture(
                id=f"{fixture}:plan",
                game=game,
                fixture=fixture,
                round=number,
                # Of two matches on one day the corpus lists the earlier one first.
                starts_at=_ms(line["date"]) + number,
                sides=[line["home"], line["away"]],
                attributes=attributes,
            ),
            Result(id=fixture, game=game, fixture=fixture, score=_score(line)),
        ]
    return History(events, _date, of_matches, "", lambda entrant: "matches", first)


def _score(line: Line) -> list[int] | None:
    home, away = (line.get(f"{side}_goals") or line.get(f"{side}_score") or "" for side in ("home", "away"))
    return [int(home), int(away)] if home and away else None


def _races(game: str, lines: list[Line], entrants: set[str]) -> History:
    held: dict[tuple[str, int, str], list[Line]] = {}
    for line in lines:
        if line["kind"] == "race":
            held.setdefault((line["date"], int(line["round"]), line["race"]), []).append(line)
    events: list[AnyEvent] = []
    days: dict[str, int] = {}
    for number, ((day, _, race), cars) in enumerate(sorted(held.items()), 1):
        days[f"{cars[0]['season']} {race}"] = _number(day)
        attributes: dict[str, AttributeValue] = {"day": _number(day), "season": cars[0]["season"]}
        fixture, placements = f"race-{number}", [_placement(car) for car in cars if _started(car)]
        events.append(
            Result(
                id=fixture,
                game=game,
                fixture=fixture,
                occurred_at=_ms(day),
                round=number,
                attributes=attributes,
                placements=placements,
            )
        )
    drivers = {line["driver_id"] for line in lines}
    # Several cars of one entrant are one race; who was absent has lost nothing.
    per = ', per = "round", absence = "hold"'
    first = {line["driver_id"]: line["season"] for line in sorted(lines, key=lambda line: line["date"], reverse=True)}

    def day_of(words: str) -> int | None:
        return days.get(words) or _date(words)

    return History(
        events, day_of, of_races, per, lambda entrant: "entrants" if entrant in drivers else "constructors", first
    )


def _started(car: Line) -> bool:
    return car["position_text"] not in NOT_STARTED


def _placement(car: Line) -> Placement:
    attributes: dict[str, AttributeValue] = {"constructor": car["constructor_id"], "started": True}
    attributes |= {"grid": int(car["grid"])} if car["grid"].isdecimal() else {}
    attributes |= {"fastest_lap": True} if car["fastest_lap"] == "true" else {}
    attributes |= {"scored": True} if car["points"] and Decimal(car["points"]) > 0 else {}
    position = int(car["position"]) if car["position"] else None
    status = car["position_text"] if position is None else None
    return Placement(player=car["driver_id"], position=position, status=status or None, attributes=attributes)


def _date(words: str) -> int | None:
    """The number of a day such as 2017-08-26; None without one. Raises UnknownWordsError for anything else."""
    if not words:
        return None
    try:
        return _number(date.fromisoformat(words).isoformat())
    except ValueError:
        raise UnknownWordsError(f"{words!r} names no day of this corpus") from None


def _number(day: str) -> int:
    return int(day.replace("-", ""))


def _ms(day: str) -> int:
    noon = datetime.fromisoformat(day).replace(hour=12, tzinfo=UTC)
    return (noon - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


CORPUS = Corpus(seasons, contests)
