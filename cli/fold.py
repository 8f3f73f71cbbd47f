"""`rankfold fold`: folds a file of events under a ruleset, in memory, without any server, and prints a board."""

import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from cli.eventlines import Lines, count_lines
from cli.tables import Line, Page, show
from cli.terminal import meter, out, plural, safe, say, show_json
from cli.until import instant_of, number_of
from engine.digest import digest_of
from engine.fold import Fold, number
from engine.leaderboard import Leaderboard
from engine.movement import BEFORE
from engine.periods import well_formed
from engine.rules import Game, compile_ruleset
from engine.segments import may_be_segment
from engine.tables import Table
from schemas.errors import InvalidInput, NotFound, Problem
from schemas.events import AnyEvent
from schemas.position import Position
from schemas.ruleset import parse

LIMIT_TABLE = 20
PROGRESS_EVENTS = 5_000
REJECTIONS_MAX = 10
UNTIL_RULE = "a number of events, a position such as 1.0.1763840000000-0, or a time such as 2026-02-08T18:30:00Z"

Within = Callable[[int, Position], bool]
"""Whether the n-th event (from 1), at its position, still belongs to the fold."""


class Folded(NamedTuple):
    """What came out: the fold, how many events went in, the position of the last one."""

    fold: Fold
    events: int
    position: Position | None


def fold_command(
    rules: Annotated[Path, typer.Argument(help="The ruleset (TOML).", exists=True, dir_okay=False)],
    events: Annotated[Path, typer.Argument(help="The events, one JSON object a line; - reads stdin.", allow_dash=True)],
    board: Annotated[str | None, typer.Option(help="The board to print; the first one by default.")] = None,
    period: Annotated[
        str | None,
        typer.Option(help="all, round:7, daily:2026-02-08, last:7d, or a kind such as daily for its latest."),
    ] = None,
    segment: Annotated[
        str | None, typer.Option(help="Only marks with this value of an attribute, such as repo:tools.")
    ] = None,
    form: Annotated[Literal["table", "json", "csv"], typer.Option("--format", help="How to print it.")] = "table",
    until: Annotated[str | None, typer.Option(help=f"Stop behind {UNTIL_RULE}.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help=f"So many lines; {LIMIT_TABLE} in a table, else all of them.")
    ] = None,
    digest: Annotated[bool, typer.Option("--digest", help="Print the digest of all boards instead.")] = False,
) -> None:
    """Fold a file of events in memory and print a board. No server is needed.

    Events without occurred_at happen one millisecond after the one before; the fold is the one that servers run.
    """
    game = compile_ruleset(parse(rules.read_text("utf-8", "replace")))
    plan = _board_of(game, board)
    folded = fold_file(game, events, within(until))
    if digest:
        _show_digest(folded, form)
        return
    chosen = choose_period(folded.fold, plan, period), choose_segment(folded.fold, plan, segment)
    show(page_of(folded, plan, *chosen, limit or (LIMIT_TABLE if form == "table" else None)), form)


def _board_of(game: Game, board: str | None) -> str:
    if board is not None and board not in game.boards:
        raise InvalidInput(Problem("--board", f"no such board; this game has {', '.join(game.boards)}"))
    return board or next(iter(game.boards))


def within(until: str | None) -> Within:
    """The limit that --until means; raises InvalidInput."""
    if until is None:
        return lambda count, position: True
    most = number_of(until)
    if most is not None:
        return lambda count, position: count <= most
    last = instant_of(until, UNTIL_RULE)
    if isinstance(last, Position):
        return lambda count, position: position <= last
    return lambda count, position: position.ms <= last


def fold_file(game: Game, path: Path, inside: Within) -> Folded:
    """Folds the events of a file (or of stdin for `-`); raises InvalidInput naming every bad line."""
    from_stdin = str(path) == "-"
    lines = Lines("stdin" if from_stdin else str(path))
    total = None if from_stdin else count_lines(path)
    with meter("folding") as progress, sys.stdin.buffer if from_stdin else path.open("rb") as file:
        folded = _fold(game, lines, lines.events(file), inside, lambda: progress(lines.read, total))
    lines.finish()
    if lines.duplicates:
        say(f"{plural(lines.duplicates, 'event')} ignored: sent before, with the same content")
    return folded


def _fold(
    game: Game, lines: Lines, events: Iterator[tuple[int, AnyEvent]], inside: Within, tell: Callable[[], None]
) -> Folded:
    fold, count, last, rejected = Fold(game), 0, None, 0
    current = 0

    def checked() -> Iterator[AnyEvent]:
        nonlocal current
        for current, event in events:
            problems = _problems(game, event)
            for problem in problems:
                lines.add(current, problem)
            if not problems:
                yield event

    for position, event in number(checked()):
        if not inside(count + 1, position):
            break
        fold.apply(event, position)
        count, last = count + 1, position
        if fold.rejections:
            rejected = _say_rejections(fold, lines.source, current, rejected)
        if count % PROGRESS_EVENTS == 0:
            tell()
    if rejected > REJECTIONS_MAX:
        say(f"warning: {plural(rejected, 'event')} in all do not count", "yellow")
    fold.settle()
    return Folded(fold, count, last)


def _problems(game: Game, event: AnyEvent) -> list[Problem]:
    if event.game != game.rules.game:
        return [Problem("game", f"the ruleset is for {game.rules.game!r}, not for {event.game!r}")]
    return game.check(event)


def _say_rejections(fold: Fold, source: str, line: int, told: int) -> int:
    """Tells of the first events that do not count; returns how many there were so far."""
    for at, rejection in enumerate(fold.rejections, told + 1):
        if at <= REJECTIONS_MAX:
            say(
                f"warning: {source}:{line}: {safe(rejection.field)}: {safe(rejection.reason)}; it does not count",
                "yellow",
            )
    told += len(fold.rejections)
    fold.rejections.clear()
    return told


def choose_period(fold: Fold, board: str, asked: str | None) -> str:
    """The period to print: the one asked for, the latest of the kind asked for, else `all`, else the latest one."""
    plan = fold.game.boards[board]
    kinds = plan.period_kinds
    held = sorted((period for name, period, segment in fold.tables if name == board and not segment), key=_age)
    if asked is not None and asked not in kinds:
        if asked not in held:
            if not plan.may_have(asked):
                raise InvalidInput(Problem("--period", f"this board's periods: {', '.join([*kinds, *plan.windows])}"))
            raise NotFound("period", f"{asked} has no events; there are {', '.join(held[-5:]) or 'none'}")
        return asked
    kind = asked or ("all" if "all" in kinds else kinds[0])
    latest = [period for period in held if well_formed(kind, period)]
    if not latest and kind != "all":
        raise NotFound("period", f"no {kind} period of {board} has events")
    return latest[-1] if latest else "all"


def choose_segment(fold: Fold, board: str, asked: str | None) -> str:
    """The segment to print, empty for the whole board; raises NotFound or InvalidInput."""
    if asked is None:
        return ""
    names = list(fold.game.boards[board].board.segments)
    if not may_be_segment(asked, names):
        rule = ", ".join(f"{name}:VALUE" for name in names)
        raise InvalidInput(Problem("--segment", rule or "this board has no segments"))
    held = sorted({segment for name, _, segment in fold.tables if name == board and may_be_segment(segment, names)})
    if asked not in held:
        raise NotFound("segment", f"{asked} has no events; there are {', '.join(held[:5]) or 'none'}")
    return asked


def _age(period: str) -> tuple[int, str]:
    """Sorts round:9 before round:10; ids made of days are as old as they sort."""
    rest = period.partition(":")[2]
    return (int(rest), "") if rest.isascii() and rest.isdecimal() else (0, rest)


def page_of(folded: Folded, board: str, period: str, segment: str, limit: int | None) -> Page:
    """The first lines of a board."""
    plan = folded.fold.game.boards[board]
    table = folded.fold.tables.get((board, period, segment))
    ranking = _ranking(table, plan.style)
    entries = ranking.window(0, len(ranking) if limit is None else limit).entries
    before = _ranking(folded.fold.tables.get((board, period, BEFORE + segment)), plan.style)
    badged = table is not None and table.badged
    tiers = plan.tiers
    found = []
    for at in entries:
        place = before.place(at.player)
        found.append(
            Line(
                *(at.rank, at.tied, at.player, plan.decode(at.prefix, at.extra)),
                tier=None if tiers is None else tiers.of(at, len(ranking)),
                movement=None if place is None else place.rank - at.rank,
                badges=tuple(table.rows[at.player].state.badges) if table is not None and badged else (),
            )
        )
    position = None if folded.position is None else str(folded.position)
    moves = plan.present is not None and period not in plan.windows
    shown = {"movement": moves, "tier": tiers is not None, "badges": badged}
    marks = [name for name, there in shown.items() if there]
    names = (folded.fold.game.rules.game, board, plan.title, period)
    return Page(*names, len(ranking), plan.metric_names, found, position, marks, segment)


def _ranking(table: Table | None, style: str) -> Leaderboard:
    ranking = Leaderboard(style)
    for player, row in table.rows.items() if table is not None else ():
        ranking.set(player, row.prefix, row.extra, row.hidden)
    return ranking


def _show_digest(folded: Folded, form: str) -> None:
    digest = digest_of(folded.fold)
    if form == "json":
        show_json({"digest": str(digest), "rows": digest.rows, "events": folded.events})
    else:
        out().print(f"{digest}  {plural(digest.rows, 'row')}, {plural(folded.events, 'event')}")
