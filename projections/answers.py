"""What `read.lua` replied, as places and windows."""

import struct
from typing import Any

import msgspec

from engine.boards import BoardPlan
from engine.keys import split, split_all
from engine.places import Answer, Lookup, Place, Told, Window, rank_of

_unpack_places = msgspec.msgpack.Decoder(list[Any]).decode


def version_of(raw: bytes | None) -> int | None:
    """The version in a ranking's "" field; while an update of several calls runs, the one that it started from."""
    return None if raw is None else int(raw.partition(b"#")[0].partition(b">")[0])


def answer_of(plan: BoardPlan, lookups: list[Lookup], reply: list[Any]) -> Answer:
    """What `read.lua` replied, as places and windows."""
    version, total, values, packed, *others = reply
    version, total = version_of(version) or 0, int(total)
    if not others:
        return Answer(version, total, _places(plan, lookups, total, values, _unpack_places(packed)))
    alone = [item for item in lookups if item.kind == "player" and not item.number]
    places, rest = iter(_places(plan, alone, total, values, _unpack_places(packed))), iter(others)
    found: list[Place | Window | None] = []
    for item in lookups:
        if item.kind == "player" and not item.number:
            found.append(next(places))
        elif isinstance(item.what, str):
            raw = next(rest)
            found.append(_place(plan, item.what, total, raw) if raw else None)
        elif isinstance(item.what, bytes) and item.kind == "guest":
            found.append(_place(plan, split(item.what)[1], total, next(rest)))
        else:
            found.append(_window(plan, total, next(rest)))
    return Answer(version, total, found)


def _places(
    plan: BoardPlan, lookups: list[Lookup], total: int, values: list[bytes | None], places: list[Any]
) -> list[Place | Window | None]:
    """The places of players of whom nothing else is asked."""
    found: list[Place | Window | None] = []
    for (_, player, _), value, counts in zip(lookups, values, places, strict=True):
        if value is None:
            found.append(None)
            continue
        assert isinstance(player, str)
        end = 2 + (value[0] << 8 | value[1])
        prefix, extra = value[2:end], value[end:]
        if type(counts) is int:
            found.append(Place(player, prefix, extra, counts, counts + 1, 1, total, None))
        else:
            ordinal, ahead, tied, dense, hidden = counts
            rank = rank_of(plan.style, ordinal, ahead, tied, dense)
            found.append(Place(player, prefix, extra, ordinal, rank, tied, total + hidden, None, bool(hidden)))
    return found


def _place(plan: BoardPlan, player: str, total: int, raw: Any) -> Place:
    packed, around = (raw, None) if type(raw) is bytes else raw
    ordinal, ahead, tied, dense, hidden, length = _PLACE(packed)
    start, end = _PLACE_BYTES, _PLACE_BYTES + length
    window = _window(plan, total, around) if around is not None else None
    rank = rank_of(plan.style, ordinal, ahead, tied, dense)
    if hidden:
        total += 1
    return Place(player, packed[start:end], packed[end:], ordinal, rank, tied, total, window, bool(hidden))


_PLACE_FORM = struct.Struct(">5IH")
_PLACE = _PLACE_FORM.unpack_from
_PLACE_BYTES = _PLACE_FORM.size


def _window(plan: BoardPlan, total: int, raw: list[Any]) -> Window:
    first, members, ahead, dense, through, values = raw
    extras = []
    if values:
        prefixes, _ = split_all(members)
        extras = [value[2 + len(prefix) :] if value else b"" for prefix, value in zip(prefixes, values, strict=True)]
    return Window(first, total, told=Told(plan.style, members, ahead, dense, through, extras))
