"""What is published: two boards, and `score` events of players of whom a few play most.

Every player scores at least once; all other events go to the player of rank k with a weight of 1 / k**0.8 (Zipf). The
same seed gives the same events. An event's position in time is its stream entry's.
"""

import itertools
import random
from collections.abc import Iterator

from schemas.events import RulesetChange, Score

GAME = "bench"
SKEW = 0.8
SEED = 20_260_208
RULES = """\
# The benchmark's game: the best run, of equal ones the earlier first, and everything that a player has collected.
game = "bench"
title = "Benchmark"

[metrics.points]

[boards.best]
rank_by = ["points desc", "reached"]
periods = ["all", "daily"]
keep = { mode = "best", by = "points" }
metrics.points = { op = "max", of = "points" }

[boards.total]
rank_by = ["points desc"]
periods = ["all", "daily"]
metrics.points = { op = "sum", of = "points" }
"""
RANKINGS = 4
"""Two boards, each of all time and of the day."""


def player_name(number: int) -> str:
    """The id of a player, from his number."""
    return f"player-{number:07d}"


def drawn_players(events: int, players: int, chance: random.Random) -> list[int]:
    """Who scores, event by event: everybody once, the rest by Zipf's law, in random order."""
    everybody = list(range(min(events, players)))
    chance.shuffle(everybody)
    weights = list(itertools.accumulate(rank**-SKEW for rank in range(1, players + 1)))
    drawn = everybody + chance.choices(everybody, cum_weights=weights[: len(everybody)], k=events - len(everybody))
    chance.shuffle(drawn)
    return drawn


def scores(events: int, players: int, seed: int, run: str = "run") -> Iterator[Score]:
    """The events of a seed; `run` keeps their ids apart from those of other calls."""
    chance = random.Random(seed)
    for number, player in enumerate(drawn_players(events, players, chance)):
        points = int(chance.lognormvariate(8, 1))
        yield Score(id=f"{run}-{number}", game=GAME, player=player_name(player), values={"points": points})


def share_of_busiest(events: int, players: int) -> float:
    """The share of all events that the busiest hundredth of the players gets, between 0 and 1."""
    weights: list[float] = [rank**-SKEW for rank in range(1, players + 1)]
    busiest = max(1, players // 100)
    return (busiest + sum(weights[:busiest]) / sum(weights) * (events - players)) / events


def ruleset(*, spread: bool = False) -> RulesetChange:
    """The event that makes the game; of one that is `spread` over all shards the one that makes each part."""
    return RulesetChange(id="rules-1", game=GAME, version=1, text=("spread = true\n" if spread else "") + RULES)
