"""Lines of boards as JSON, written straight from a window's columns: a page has many, so nothing is made for each alone.

What comes out are the bytes that the structs of `api.encode` would be encoded to; tests compare both.
"""

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any

import msgspec

from api.names import Names
from engine.boards import BoardPlan
from engine.numbers import first_ints, form_of
from engine.places import Place, Window, standings_of

_encode = msgspec.json.Encoder().encode
_NAMELESS: Names = {}
_Unpack = Callable[[bytes], tuple[Any, ...]]


def lines_json(plan: BoardPlan, window: Window, names: Names = _NAMELESS) -> bytes:
    """The entries of a window on a board without tiers and movement, as `[Line, ...]`."""
    usual = _usual(plan, window) if plan.only_whole and not names else None
    if usual is not None:
        return usual
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


def _usual(plan: BoardPlan, window: Window) -> bytes | None:
    """The same for what most windows are: nobody level with anybody, and keys that differ in their numbers only.

    Written out because half the work of a look-up with neighbours is their lines.
    """
    told = window.told
    if told is None or not told.members:
        return None
    found = _numbered(told.members, negated=plan.order[0][0] == "desc")
    if found is None:
        return None
    prefixes, players, numbers = found
    ranks, tied = standings_of(told.style, prefixes, window.first, told.ahead, told.dense, told.through)
    if True in tied or b"".join(players).translate(None, _UNESCAPED):
        return None
    shown: list[object] = [None] * (3 * len(players))
    shown[::3], shown[1::3], shown[2::3] = ranks, players, numbers
    return _template(len(players), plan.metric_names[0]) % tuple(shown)


_UNESCAPED = bytes(byte for byte in range(32, 256) if byte not in b'"\\\x7f')
"""What stands in JSON as it is."""


def _numbered(
    members: list[bytes], *, negated: bool
) -> tuple[Sequence[bytes], Sequence[bytes], Sequence[int | None]] | None:
    """(prefixes, players, the numbers that the prefixes start with) of members whose prefixes are of one form, else None."""
    count, first = len(members), members[0]
    length, size, form = len(first), first[-2] << 8 | first[-1], form_of(first[0])
    together, lengths = b"".join(members), set(map(len, members))
    if form is None:
        return None
    where, added = form
    if len(lengths) == 1 and where.stop <= _NUMBER_BYTES <= length:
        heads, ends = together[::length], (together[length - 2 :: length], together[length - 1 :: length])
        if heads != first[:1] * count or ends != (first[-2:-1] * count, first[-1:] * count):
            return None
        texts, numbers = _forms(count, length, size)
        columns = texts(together)
        # A number of eight bytes has the head in front, and behind it what does not belong to it.
        rest = (_NUMBER_BYTES - where.stop) << 3
        less = (first[0] << (where.stop - 1 << 3)) - added
        found = [less - (number >> rest) if negated else (number >> rest) - less for number in numbers(together)]
        return columns[::2], columns[1::2], found
    if any(member[0] != first[0] or member[-2:] != first[-2:] for member in members):
        return None
    prefixes, players = [member[:size] for member in members], [member[size:-2] for member in members]
    return prefixes, players, first_ints(prefixes, negated=negated)


_NUMBER_BYTES = 8


@lru_cache(maxsize=512)
def _forms(count: int, length: int, size: int) -> tuple[_Unpack, _Unpack]:
    """How so many members of one length are unpacked together: as prefixes and players, and as their first eight bytes."""
    texts = Struct(f"{size}s{length - size - 2}s2x" * count)
    return texts.unpack, Struct(">" + f"Q{length - _NUMBER_BYTES}x" * count).unpack


@lru_cache(maxsize=128)
def _template(count: int, metric: str) -> bytes:
    """So many lines; formatted all at once they take half as long as one by one."""
    line = b'{"rank":%%d,"player":"%%b","metrics":{"%b":%%d},"tied":false}' % metric.encode()
    return b"[%b]" % b",".join([line] * count)


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
