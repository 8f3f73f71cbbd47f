"""What may stand where a shape leaves a choice, so that an error can say it. For messages alone: it decides nothing."""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import msgspec.inspect as shapes


def allowed(shape: Any, path: str) -> tuple[str, ...]:
    """The words that the place with this path takes; empty when they are no list, or differ with what stands beside."""
    found = set(_words(_type_of(shape), re.findall(r"\[[^\]]*\]|[^.\[\]]+", path)))
    return found.pop() if len(found) == 1 else ()


@cache
def _type_of(shape: Any) -> shapes.Type:
    return shapes.type_info(shape)


def _words(kind: shapes.Type, parts: list[str]) -> Iterator[tuple[str, ...]]:
    """The lists of words at the end of the path, one for each way of reading it."""
    if isinstance(kind, shapes.UnionType):
        tagged = [each for each in kind.types if isinstance(each, shapes.StructType) and each.tag_field is not None]
        if tagged and parts == [tagged[0].tag_field]:
            yield tuple(str(each.tag) for each in tagged)
            return
        for each in kind.types:
            yield from _words(each, parts)
    elif not parts:
        if isinstance(kind, shapes.LiteralType):
            yield tuple(map(str, kind.values))
    else:
        for inner in _inside(kind, parts[0]):
            yield from _words(inner, parts[1:])


def _inside(kind: shapes.Type, part: str) -> Iterable[shapes.Type]:
    if isinstance(kind, shapes.StructType):
        return [field.type for field in kind.fields if field.encode_name == part]
    if isinstance(kind, shapes.DictType):
        return [kind.value_type]
    if isinstance(kind, shapes.ListType):
        return [kind.item_type]
    return []
