"""What officials added to a player's metrics, added up beside what the board computes: {metric: [total, order]}.

The order is that of the last adjustment which changed the metric; None stands for no adjustments at all. While all of them
are of 0, it is None, and a third item says when the first one came: with it there was a number where there was none.
"""

from typing import Any

Order = tuple[int, int, int]
Adjustments = dict[str, list[Any]]
NOT_ADJUSTED: list[Any] = [0, None]


def adjusted(added: Adjustments | None, values: dict[str, int], order: Order) -> Adjustments:
    """Adds values to what there is, which is changed in place unless it is None."""
    added = {} if added is None else added
    for name, value in values.items():
        entry = added.setdefault(name, [0, None])
        entry[0] += value
        if value:
            entry[1:] = [order if entry[1] is None or entry[1] < order else entry[1]]
        elif entry[1] is None:
            entry[2:] = [min([order, *entry[2:]])]
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
        name: [entry[0], *(None if order is None else tuple(order) for order in entry[1:])]
        for name, entry in stored.items()
    }
