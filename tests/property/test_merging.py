"""Merged answers of parts are those of one ranking of everybody, whatever is asked and however the players are shared out."""

from hypothesis import given
from hypothesis import strategies as st

from engine.keys import member
from engine.leaderboard import Leaderboard
from engine.merging import merged
from engine.places import Answer, Lookup
from engine.spread import part_of

PLAYERS = st.sampled_from([*"abcdefghijklmnop", "ä", "\U0001f600", "erased-1.0.5-6", "erased-1.2.5-7"])
PREFIXES = st.binary(min_size=2, max_size=2).map(lambda data: bytes(byte % 3 for byte in data))
LINES = st.dictionaries(PLAYERS, st.tuples(PREFIXES, st.booleans()), max_size=18)
NUMBERS = st.integers(0, 5)
MEMBERS = st.builds(member, PREFIXES, PLAYERS | st.just(""))
LOOKUPS = st.lists(
    st.one_of(
        st.builds(Lookup, st.just("player"), PLAYERS, NUMBERS),
        st.builds(Lookup, st.just("top"), st.just(0), NUMBERS),
        st.builds(Lookup, st.sampled_from(["after", "before"]), MEMBERS, NUMBERS),
        st.builds(Lookup, st.just("at"), st.integers(0, 20), NUMBERS),
    ),
    max_size=6,
)


def board_of(style: str, lines: dict[str, tuple[bytes, bool]], version: int) -> Leaderboard:
    board = Leaderboard(style)
    board.version = version
    for player, (prefix, hidden) in lines.items():
        extra = player.encode()
        if hidden:
            board.set(player, None, extra, prefix)
        else:
            board.set(player, prefix, extra)
    return board


@given(st.sampled_from(["competition", "ordinal", "modified"]), st.integers(2, 5), LINES, LOOKUPS)
def test_merged_parts_answer_as_one(
    style: str, parts: int, lines: dict[str, tuple[bytes, bool]], lookups: list[Lookup]
) -> None:
    whole = board_of(style, lines, 1).lookup(lookups)
    boards = [
        board_of(style, {player: line for player, line in lines.items() if part_of(player, parts) == part}, part + 1)
        for part in range(parts)
    ]
    merging, rounds = merged(style, parts, lookups), 0
    asked = next(merging)
    while True:
        rounds += 1
        # A look-up of a place and one of each end of what is around it: never more, however many players there are.
        assert rounds <= 3
        found = zip(boards, asked, strict=True)
        answers = [board.lookup(each) if each else Answer(0, 0, []) for board, each in found]
        try:
            asked = merging.send(answers)
        except StopIteration as stop:
            answer: Answer = stop.value
            break
    assert (answer.total, answer.found) == (whole.total, whole.found)
    assert answer.versions == tuple(range(1, parts + 1))
