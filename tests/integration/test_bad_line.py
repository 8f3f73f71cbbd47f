"""A line to PostgreSQL that loses what is sent over it, again and again, and yet is not down."""

from collections.abc import Callable

import pytest

from consumers import failures
from projections.batch import Batch
from projections.store import Store
from tests.harness import Harness, ruleset, score

pytestmark = pytest.mark.services


async def test_a_bad_line_is_not_waited_for_as_one_that_is_down(
    harness: Harness, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half of all commits fail, while a hundred are made again after a failure: each of these is the first in a row."""
    attempts: list[int] = []
    commit, asked = Store.commit, 0

    async def lossy(store: Store, batch: Batch, inside: Callable[[], None]) -> None:
        nonlocal asked
        asked += 1
        if asked % 2:
            raise ConnectionResetError("the line is bad")
        await commit(store, batch, inside)

    def counted(error: BaseException, attempt: int, jitter: float) -> failures.Decision:
        attempts.append(attempt)
        return failures.Retry(0.0)

    await harness.publish(ruleset(), *(score(f"e{number}", "ada", 1) for number in range(100)))
    async with harness.consuming(batch=1) as reader:
        monkeypatch.setattr(Store, "commit", lossy)
        monkeypatch.setattr("consumers.shard.decide", counted)
        reader.batch = 1_000
        await reader.step()
        await harness.caught_up()
        monkeypatch.setattr(Store, "commit", commit)
    assert await harness.points() == {"ada": 100}
    assert len(attempts) >= 100
    assert max(attempts) <= 2
