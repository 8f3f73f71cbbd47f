"""How a process that folds should treat its memory."""

import gc


def hold_long_lived_state() -> None:
    """Makes the cycle collector run seldom: rows and marks live long, are many, and hold no cycles.

    By default it would look through all of them again and again, which costs more than to fold. Between two collections lies
    more than the batches under way hold: what dies with its batch is never looked at, a tenth of a backlog's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(3_000_000, 50, 1_000)
