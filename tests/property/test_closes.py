"""Closes: they say what comes too late, the same however the log is cut into batches, and change no row."""

from hypothesis import given
from hypothesis import strategies as st

from engine.closes import REASON
from engine.digest import digest_of
from engine.fold import Fold, fold
from engine.rules import Game
from schemas.events import Adjustment, Close, Event, Score, Thaw, Void
from schemas.position import Position
from schemas.ruleset import parse

RULES = parse("""
game = "g"
[metrics.points]
[sources.score]
origin = "score"
[sources.adjustment]
origin = "adjustment"
[boards.all]
sources = ["score", "adjustment"]
rank_by = ["points desc"]
[boards.all.metrics]
points = { op = "sum", of = "points" }
[boards.rounds]
sources = ["score"]
keep = { mode = "best", by = "points" }
rank_by = ["points desc"]
periods = ["round"]
[boards.rounds.metrics]
points = { op = "max", of = "points" }
""")
boards = st.sampled_from([None, "all", "rounds"])
periods = st.sampled_from([None, "round:1", "round:2"])
kinds = st.one_of(
    st.tuples(st.just("score"), st.sampled_from("abc"), st.integers(0, 9), st.sampled_from([1, 2])),
    st.tuples(st.just("adjustment"), st.sampled_from("abc"), st.integers(-9, 9)),
    st.tuples(st.just("void"), st.integers(0, 30)),
    st.tuples(st.sampled_from(["close", "thaw"]), boards, periods),
)


def event(number: int, kind: tuple[object, ...]) -> Event:
    id_ = f"e{number}"
    match kind:
        case ("score", str(player), int(points), int(round_)):
            return Score(id=id_, game="g", player=player, values={"points": points}, round=round_)
        case ("adjustment", str(player), int(points)):
            return Adjustment(id=id_, game="g", player=player, values={"points": points}, reason="r")
        case ("void", int(target)):
            return Void(id=id_, game="g", event=f"e{target}", reason="r")
        case (name, board, period):
            make = Close if name == "close" else Thaw
            return make(id=id_, game="g", board=board, period=period)  # type: ignore[arg-type]
    raise AssertionError(kind)


def late(events: list[Event]) -> list[str]:
    """The events that have something to say to a ranking that is closed by then, one by one."""
    closed: set[tuple[str, str]] = set()
    voided: set[str] = set()
    said: dict[str, Event] = {}
    found = []

    def touches(one: Event) -> bool:
        named = {("all", "all")} if isinstance(one, Score | Adjustment) else set()
        if isinstance(one, Score):
            named.add(("rounds", f"round:{one.round}"))
        return any(board in ("", name) and period in ("", of) for name, of in named for board, period in closed)

    for one in events:
        if isinstance(one, Close):
            closed.add((one.board or "", one.period or ""))
        elif isinstance(one, Thaw):
            closed = {
                (board, period)
                for board, period in closed
                if not (one.board in (None, board) and one.period in (None, period))
            }
        elif isinstance(one, Void):
            target = said.get(one.event)
            if isinstance(target, Score | Adjustment) and one.event not in voided and touches(target):
                found.append(one.id)
            if target is None or isinstance(target, Score | Adjustment):
                voided.add(one.event)
        elif one.id not in voided and touches(one):
            found.append(one.id)
        said[one.id] = one
    return found


@given(st.lists(kinds, max_size=30))
def test_what_comes_too_late_is_rejected_and_rows_go_on(said: list[tuple[object, ...]]) -> None:
    events = [event(number, kind) for number, kind in enumerate(said)]
    log = [(Position(1, 0, number + 1, 0), one) for number, one in enumerate(events)]
    state = fold(RULES, log)
    assert [one.event for one in state.rejections if one.reason == REASON] == late(events)
    without = fold(RULES, [(position, one) for position, one in log if not isinstance(one, Close | Thaw)])
    assert str(digest_of(state)) == str(digest_of(without))


@given(st.lists(kinds.filter(lambda kind: kind[0] != "void"), max_size=30), st.sets(st.integers(0, 30)))
def test_batches_make_no_difference(said: list[tuple[object, ...]], cuts: set[int]) -> None:
    events = [event(number, kind) for number, kind in enumerate(said)]
    log = [(Position(1, 0, number + 1, 0), one) for number, one in enumerate(events)]
    whole, cut = fold(RULES, log), Fold(Game(RULES))
    for number, (position, one) in enumerate(log):
        cut.pass_time(position.ms)
        cut.stage(one, position)
        if number in cuts:
            cut.absorb()
            cut.settle()
    cut.absorb()
    cut.settle()
    assert cut.rejections == whole.rejections
    assert cut.closes.held == whole.closes.held
    assert str(digest_of(cut)) == str(digest_of(whole))
