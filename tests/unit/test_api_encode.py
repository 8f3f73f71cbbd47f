"""Ranks among a few, and answers that begin with their position."""

import json

from hypothesis import given
from hypothesis import strategies as st

from api.encode import ranks_among, with_position
from engine.places import rank_of


@given(
    keys=st.lists(st.sampled_from([b"a", b"b", b"c", b"d"]), max_size=30).map(sorted),
    style=st.sampled_from(["competition", "dense", "ordinal", "modified"]),
)
def test_ranks_among_friends_follow_the_style(keys: list[bytes], style: str) -> None:
    expected = [
        rank_of(style, at, sum(k < key for k in keys), keys.count(key), len({k for k in keys if k < key}))
        for at, key in enumerate(keys)
    ]
    assert ranks_among(style, keys) == expected


def test_the_position_is_put_in_front() -> None:
    assert json.loads(with_position("1.0.5-0", b'{"total":3}')) == {"position": "1.0.5-0", "total": 3}
