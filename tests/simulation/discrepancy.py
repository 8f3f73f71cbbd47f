"""What is not as it should be, in words."""

from tests.simulation.auditor import Boards, Line


class Discrepancy(AssertionError):
    """Something is not as it should be."""


def by_rank(lines: list[Line]) -> list[Line]:
    """Lines by rank and player: who is level with another may have got another id since then."""
    return sorted(lines, key=lambda line: line[:2])


def compared(found: Boards, wanted: Boards) -> list[str]:
    """The differences between what is shown and what should be, in words."""
    words = []
    for name in sorted(found.keys() | wanted.keys()):
        shown, right = found.get(name, []), wanted.get(name, [])
        if shown != right:
            place = next(
                (at for at, (one, two) in enumerate(zip(shown, right, strict=False)) if one != two),
                min(len(shown), len(right)),
            )
            one = shown[place] if place < len(shown) else None
            two = right[place] if place < len(right) else None
            words.append(
                f"{'/'.join(name)} line {place + 1} of {len(shown)} and {len(right)}: shown {one}, audited {two}"
            )
    return words
