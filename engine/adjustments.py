"""What officials added to a player's metrics, added up beside what the board computes: {metric: [total, order]}.

The order is that of the last adjustment which changed the metric; None stands for no adjustments at all.
"""

from typing import Any

Order = tuple[int, int, int]
Adjustments = dict[str, list[Any]]


def adjusted(added: Adjustments | None, values: dict[str, int], order: Order) -> Adjustments:
    """Adds values to what there is, which is changed in place unless it is None."""
    added = {} if added is None else added
    for name, value in values.items():
        entry = added.setdefault(name, [0, None])
        entry[0] += value
        if value and (entry[1] is None or entry[1] < order):
            entry[1] = order
    return added


def unadjusted(added: Adjustments | None, values: dict[str, int]) -> bool:
    """Takes an adjustment back, unless nothing is known of it. When it came does not matter to who asks."""
    if added is None or not values.keys() <= added.keys():
        return False
    for name, value in values.items():
        added[name][0] -= value
    return True


def loaded(stored: Adjustments | None) -> Adjustments | None:
    """What JSON made of adjustments, as it was before."""
    return stored and {
        name: [total, None if since is None else tuple(since)] for name, (total, since) in stored.items()
    }
