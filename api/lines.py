"""Lines of boards as JSON, written straight from a window's columns: a page has many, so nothing is made for each alone.

What comes out are the bytes that the structs of `api.encode` would be encoded to; tests compare both.
"""

from collections.abc import Sequence

import msgspec

from api.names import Names
from engine.boards import BoardPlan
from engine.numbers import first_ints
from engine.places import Place, Window

_encode = msgspec.json.Encoder().encode
_NAMELESS: Names = {}


def lines_json(plan: BoardPlan, window: Window, names: Names = _NAMELESS) -> bytes:
    """The entries of a window on a board without tiers and movement, as `[Line, ...]`."""
    players, prefixes, extras, ranks, tied = window.columns
    opening, metrics, closing = _metrics(plan, prefixes, extras)
    ends = ["true" if shares else "false" for shares in tied]
    if names:
        ends = [end + _name(names.get(player)) for end, player in zip(ends, players, strict=True)]
    lines = [
        f'{{"rank":{rank},"player":"{player}","metrics":{opening}{metric}{closing},"tied":{end}}}'
        for rank, player, metric, end in zip(ranks, _escaped(players), metrics, ends, strict=True)
    ]
    return f"[{','.join(lines)}]".encode()


def friends_json(plan: BoardPlan, places: Sequence[Place], ranks: list[int], names: Names = _NAMELESS) -> bytes:
    """Places on a board without tiers and movement, and their ranks among themselves, as `[FriendPlace, ...]`."""
    prefixes, extras = [place.prefix for place in places], [place.extra for place in places]
    opening, metrics, closing = _metrics(plan, prefixes, extras)
    players = _escaped([place.player for place in places])
    ends = [_name(names.get(place.player)) for place in places] if names else [""] * len(places)
    lines = [
        f'{{"player":"{player}","rank":{place.rank},"ordinal":{place.ordinal + 1},"tied":{place.tied},'
        f'"rank_among":{rank},"metrics":{opening}{metric}{closing}{end}}}'
        for player, place, rank, metric, end in zip(players, places, ranks, metrics, ends, strict=True)
    ]
    return f"[{','.join(lines)}]".encode()


def _metrics(plan: BoardPlan, prefixes: list[bytes], extras: list[bytes]) -> tuple[str, Sequence[object], str]:
    """The metrics of each entry, and what stands before and behind them."""
    if plan.only_whole:
        # The usual board: nothing but one whole number, at the beginning of the key.
        numbers = first_ints(prefixes, negated=plan.order[0][0] == "desc")
        shown = ["null" if number is None else number for number in numbers] if None in numbers else numbers
        return f'{{"{plan.metric_names[0]}":', shown, "}"
    held = extras or [b""] * len(prefixes)
    decode = plan.decode
    return "", [_text(decode(prefix, extra)) for prefix, extra in zip(prefixes, held, strict=True)], ""


def _escaped(players: list[str]) -> list[str]:
    """Ids as they stand between quotes."""
    together = "".join(players)
    if together.isprintable() and '"' not in together and "\\" not in together:
        return players
    return [_text(player)[1:-1] for player in players]


def _name(name: str | None) -> str:
    return "" if name is None else f',"name":{_text(name)}'


def _text(content: object) -> str:
    return _encode(content).decode()
