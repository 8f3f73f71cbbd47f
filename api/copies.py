"""The copies of a board that can be asked for, its periods and segments: examples of them, and the refusal of what is none."""

from api.problems import invalid
from engine.boards import BoardPlan
from engine.segments import may_be_segment


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
