"""The copies of a board that can be asked for, its periods and segments: examples of them, and the refusal of what is none."""

from api.problems import invalid
from engine.boards import BoardPlan
from engine.periods import well_formed
from engine.segments import may_be_segment
from projections.catalog import GameInfo
from schemas.language import PeriodKind


def check_segment(plan: BoardPlan, segment: str) -> None:
    """Refuses what cannot be a segment of a board."""
    names = list(plan.board.segments)
    if not may_be_segment(segment, names):
        known = "a segment of this board: " + ", ".join(f"{name}:VALUE" for name in names)
        raise invalid("segment", known if names else "this board has no segments")


def example_of(kind: str) -> str:
    """A period of a kind."""
    examples = {
        "all": "all",
        "round": "round:7",
        "daily": "daily:2026-02-08",
        "weekly": "weekly:2026-02-02",
        "monthly": "monthly:2026-02",
        "season": "season:2026",
    }
    return examples[kind]


def present_period(info: GameInfo, plan: BoardPlan, kind: PeriodKind, clock_ms: int) -> str:
    """`all` where the board has it, else the present one of a kind, else the one of that kind that began last."""
    if "all" in plan.period_kinds:
        return "all"
    period = plan.calendars[plan.period_kinds.index(kind)].period_of(clock_ms, None)
    if period is None:
        begun = [
            (ranking_id, period)
            for part in info.parts
            for (board, period, _), ranking_id in part.rankings.items()
            if board == plan.name and well_formed(kind, period)
        ]
        if not begun:
            raise invalid("period", f"there is no present one; name it, such as {example_of(kind)}")
        period = max(begun)[1]
    return period
