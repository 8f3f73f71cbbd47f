"""What the rules of a spread game may not have: whatever needs the marks of players of other shards."""

from collections.abc import Iterator

from schemas.errors import Problem
from schemas.language import AdjustmentSource, Ruleset, ScoreSource, TieBreak


def spread_problems(rules: Ruleset) -> Iterator[Problem]:
    """Everything that keeps a game from being spread.

    A lot is drawn for each player alone, and what a result says goes to every shard, so both are possible; so are tiers,
    which readers work out of ranks.
    """
    for name, source in rules.sources.items():
        if source.entrant is not None and isinstance(source, ScoreSource | AdjustmentSource):
            rule = (
                "the marks that make it up come from players of many shards; a spread game has it in sources of results"
            )
            yield Problem(f"sources.{name}.entrant", rule)
    for name, board in rules.boards.items():
        at = f"boards.{name}"
        for index, item in enumerate(board.rank_by):
            if isinstance(item, TieBreak) and item.head_to_head:
                yield Problem(f"{at}.rank_by[{index}]", "head_to_head needs the others' marks; a spread game has none")
        if board.ranks == "dense":
            rule = "dense ranks cannot be added up over shards; a spread game has competition, ordinal or modified ones"
            yield Problem(f"{at}.ranks", rule)
        if board.movement != "none":
            yield Problem(
                f"{at}.movement", "where a round or day stands depends on all players; a spread game has none"
            )
