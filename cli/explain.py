"""`rankfold explain`: why a player's place on a board is what it is, over HTTP."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Any

import typer
from rich.text import Text

from cli.reads import PAGE_MAX, AsJson, Board, Game, KnownAt, MinPosition, Period, Player, Segment, fetch
from cli.tables import rank_text
from cli.terminal import out, plural, safe, show_json, table

Row = list[object]


def explain_command(
    game: Game,
    board: Board,
    player: Player,
    period: Period = None,
    segment: Segment = None,
    limit: Annotated[int, typer.Option(min=1, max=PAGE_MAX, help="How many marks, the latest.")] = 20,
    after: Annotated[str | None, typer.Option(help="Go on with the marks before a page: what it ended with.")] = None,
    known_at: KnownAt = None,
    min_position: MinPosition = None,
    as_json: AsJson = False,
) -> None:
    """Show the marks behind a player's metrics, what does not count and why, and what decides against his neighbours."""
    path = ("games", game, "boards", board, "players", player, "explain")
    query = {"period": period, "segment": segment, "limit": limit, "after": after, "known_at": known_at}
    answer = fetch(*path, **query, min_position=min_position)
    if as_json:
        show_json(answer)
        return
    console = out()
    metrics = [line for line in answer["metrics"] if line["op"] not in ("difference", "ratio")]
    columns = [*(line["metric"] for line in metrics), "running"]
    title = (safe(player), board, answer["period"], safe(answer.get("segment", "")))
    heads = ["#", "occurred (UTC)", "round", "what", *columns]
    console.print(table(" · ".join(filter(None, title)), heads, rows(answer, metrics), ["#", *columns]))
    for words in notes(answer):
        console.print(Text(words))
    if not answer["complete"]:
        console.print(Text("the archive does not tell all of these marks: the parts do not make the metrics", "yellow"))
    if answer["next"] is not None:
        console.print(Text(f"more with --after {safe(answer['next'])}", style="dim"))


def rows(answer: dict[str, Any], metrics: list[dict[str, Any]]) -> Iterator[Row]:
    """The marks, what is left out before and behind them, and the metrics as the last line."""
    names = [line["metric"] for line in metrics]
    yield from _rest(answer["older"], "earlier", names)
    for part in answer["parts"]:
        style = "" if part["counts"] else "dim"
        gives = [part["gives"].get(name, "") for name in names]
        moment = datetime.fromisoformat(part["occurred_at"])
        yield [
            Text(str(part["number"]), style),
            Text(f"{moment:%Y-%m-%d %H:%M:%S}", style),
            Text(safe(str(part.get("round", ""))), style),
            Text(_what(part), style),
            *(Text(safe(str(value)), style) for value in gives),
            Text(safe(str("" if part["running"] is None else part["running"])), style),
        ]
    yield from _rest(answer["newer"], "later", names)
    yield [
        "",
        "",
        "",
        Text("shown", "bold"),
        *(Text("-" if line["value"] is None else safe(str(line["value"])), "bold") for line in metrics),
        "",
    ]


def _rest(rest: dict[str, Any] | None, when: str, names: list[str]) -> Iterator[Row]:
    if rest is not None:
        gives = [_both(rest["gives"].get(name), rest["adjustments"].get(name)) for name in names]
        yield ["", "", "", Text(plural(rest["marks"], f"{when} mark"), "dim"), *gives, ""]


def _both(given: object, added: object) -> str:
    """What marks give, and what adjustments among them add."""
    if added is None:
        return "" if given is None else str(given)
    signed = str(added) if str(added).startswith("-") else f"+{added}"
    return signed if given is None else f"{given} {signed}"


def _what(part: dict[str, Any]) -> str:
    """Where a mark comes from, how it went, and what is to be said of it."""
    name = f"fixture {part['fixture']}" if "fixture" in part else part["event"]
    words = [safe(name)]
    if part.get("adjusts"):
        words.append("adjustment")
    if "verdict" in part:
        words.append(safe(str(part["verdict"])))
    if "reason" in part:
        words.append(safe(part["reason"]))
    holds = [line["revision"] for line in part.get("results", ()) if line["holds"]]
    if holds and len(part["results"]) > 1:
        words.append(f"revision {holds[0]} of {len(part['results'])} results")
    if not part["counts"]:
        words.append("dropped")
    return ", ".join(words)


def notes(answer: dict[str, Any]) -> Iterator[str]:
    """What is told beside the marks."""
    place = "not ranked"
    if answer["rank"] is not None:
        place = f"{rank_text(answer['rank'], answer['tied'] > 1)} of {answer['total']:,}"
    yield f"rank {place}; counted: {answer['keep']}; rules {answer['ruleset_version']}"
    for line in answer["metrics"]:
        if line["op"] in ("difference", "ratio"):
            shown = "-" if line["value"] is None else safe(str(line["value"]))
            yield f"{line['metric']} {shown}: the {line['op']} of {line['of']} and {line['by']}"
        if "lapsed" in line:
            yield f"{line['metric']}: {line['lapsed']} until time went on without a mark"
    for side in ("ahead", "behind"):
        other = answer[side]
        if other is not None:
            yield f"next {side}, {safe(other['player'])} at {other['rank']}: {other['words']}"
    for line in answer["voided"]:
        why = "" if line["reason"] is None else f": {safe(line['reason'])}"
        yield f"void: {line['type']} {safe(line['event'])} at {line['position']}{why}"
    for line in answer.get("rejections", ()):
        yield f"rejected: {safe(line['event'])}, {line['field']}: {safe(line['reason'])}"
