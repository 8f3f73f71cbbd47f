"""The same page of a game that is spread over three shards: what people do with it, they do alike."""

from collections.abc import AsyncIterator

import pytest

from tests.browser.conftest import ANN, RULES, Site
from tests.browser.test_page import (  # noqa: F401
    test_a_player_and_another_beside_him,
    test_changes_show_without_a_stream_too,
    test_changes_show_without_loading_anew_in_every_tab,
    test_downloads,
    test_finding_a_player,
    test_from_the_index_to_a_board,
    test_pages_and_the_own_place_among_many,
    test_rounds_and_segments,
)
from tests.browser.test_past import (  # noqa: F401
    test_final_boards,
    test_frozen_boards,
)
from tests.browser.test_why import (  # noqa: F401
    test_marks_add_up_and_ties_are_told,
    test_what_does_not_count_any_more,
)
from tests.integration.api_stack import ruleset, running

pytestmark = pytest.mark.services


@pytest.fixture
async def site(chromium: str, database_url: str, redis_log_url: str, redis_rankings_url: str) -> AsyncIterator[Site]:
    """As everywhere, but spread: Ann is on the first shard, the others are on the last one."""
    async with running(database_url, redis_log_url, redis_rankings_url, shards=3) as stack:
        site = Site(stack)
        await site.up()
        await site.publish(ruleset(RULES.replace('game = "cup"', 'game = "cup"\nspread = true')))
        await site.publish(ANN)
        await site.scores({"ann": 10, "bob": 15, "cid": 5, "dan": 3}, "one", round=1)
        await site.scores({"ann": 20, "bob": 5, "cid": 15, "dan": 4}, "two", round=2)
        yield site
        await site.down()
