"""Segments: copies of a board restricted to one value of an attribute. An id is `attribute:value`, such as repo:tools."""

import functools

from schemas.checks import good_id
from schemas.events import AttributeValue


@functools.lru_cache(maxsize=4096)
def segment_id(name: str, value: AttributeValue) -> str | None:
    """The segment of an attribute's value; None for a text that cannot be an id, which has no segment."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"{name}:{text}" if good_id(text) else None


def may_be_segment(segment: str, names: list[str]) -> bool:
    """Whether a segment of one of these attributes can have this id."""
    name, colon, text = segment.partition(":")
    return bool(colon) and name in names and good_id(text)
