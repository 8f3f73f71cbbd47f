"""`rankfold stats`: a player's season on one board, over HTTP."""

from collections.abc import Iterator
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.reads import PAGE_MAX, AsJson, Game, KnownAt, MinPosition, Player, Segment, fetch
from cli.tables import rank_text
from cli.terminal import out, safe, show_json, table

_VERDICTS = {"wins": "won", "losses": "lost", "draws": "drawn", "pushes": "pushed", "voids": "void"}
_LABEL = len("percentage  ")


def stats_command(
    game: Game,
    player: Player,
    board: Annotated[str | None, typer.Option(help="The board; by default the game's first.")] = None,
    period: Annotated[str | None, typer.Option(help="all, or season:2026; by default all, or this season.")] = None,
    segment: Segment = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX, help="How many rounds.")] = 100,
    after: Annotated[str | None, typer.Option(help="Go on behind a page: the cursor that it ended with.")] = None,
    known_at: KnownAt = None,
    min_position: MinPosition = None,
    as_json: AsJson = False,
) -> None:
    """Show a player's season on a board: totals, verdicts, best and worst round, streaks, and every round with his rank."""
    query = {"board": board, "period": period, "segment": segment, "limit": limit, "after": after}
    query["known_at"] = known_at
    answer = fetch("games", game, "players", player, "stats", **query, min_position=min_position)
    if as_json:
        show_json(answer)
        return
    console = out()
    name = f"{safe(answer['name'])} ({safe(answer['player'])})" if "name" in answer else safe(answer["player"])
    status = "" if answer["status"] == "active" else answer["status"]
    where = (answer["board"], answer["period"], safe(answer.get("segment", "")))
    console.print(Text(" · ".join(filter(None, (name, status, *where))), style="bold"))
    for what, words in summary(answer):
        console.print(Text(f"{what:<{_LABEL}}", style="dim") + Text(words))
    rounds = answer["rounds"]
    if rounds:
        console.print()
        metrics = list(rounds[0]["metrics"])
        rows = [
            [line["round"], _rank(line), line["total"], *(line["metrics"].get(name) for name in metrics)]
            for line in rounds
        ]
        console.print(table("Rounds", ["round", "rank", "of", *metrics], rows, ["rank", "of", *metrics]))
    if answer["next"] is not None:
        console.print(Text(f"more with --after {safe(answer['next'])}", style="dim"))


def summary(answer: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What is told beside the rounds, as (what, words)."""
    yield "rank", _place(answer)
    if answer["totals"] is not None:
        yield "totals", _pairs(answer["totals"])
    # Wins and losses even where there are none yet; what is rare only where it is there.
    shown = {key: answer[key] for key in _VERDICTS if answer[key] or (key in ("wins", "losses") and answer[key] == 0)}
    verdicts = [f"{count} {_VERDICTS[key]}" for key, count in shown.items()]
    if answer["pending"]:
        verdicts.append(f"{answer['pending']} pending")
    if verdicts:
        yield "verdicts", ", ".join(verdicts)
    if answer["percentage"] is not None:
        yield "percentage", answer["percentage"]
    for name in ("best", "worst"):
        line = answer[name]
        if line is not None:
            rank = "" if line["rank"] is None else f", rank {_rank(line)} of {line['total']}"
            yield name, f"round {safe(str(line['round']))}{rank}: {_pairs(line['metrics'])}"
    if answer["streaks"]:
        yield "streaks", _pairs({name.replace("_", " "): value for name, value in answer["streaks"].items()})
    if answer.get("badges"):
        yield "badges", ", ".join(safe(badge["title"]) for badge in answer["badges"])


def _place(answer: dict[str, Any]) -> str:
    if answer["rank"] is None:
        return "not ranked"
    movement = answer.get("movement")
    moved = f", {'up' if movement > 0 else 'down'} {abs(movement)}" if movement else ""
    hidden = ", shown to nobody" if answer.get("hidden") else ""
    return f"{_rank(answer)} of {answer['total']:,}{moved}{hidden}"


def _rank(line: dict[str, Any]) -> str | None:
    return None if line["rank"] is None else rank_text(line["rank"], line["tied"] > 1)


def _pairs(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {'-' if value is None else safe(str(value))}" for name, value in values.items())
