"""The esports season through the real servers, corrections and all: what HTTP shows is what the plain script says."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from examples.esports import expected
from examples.esports.season import GAME, Season
from schemas.codec import encode
from tests.corpora.contest import Contest, Official, Step
from tests.corpora.judge import judge
from tests.corpora.through_streams import Stack

BOARDS = {"season": ("circuit", "cups", "titles", "best"), "hunters": ("kills", "lobbies", "place", "best_lobby")}
RULES = Path(expected.__file__).with_name("esports.toml")


def contest(seed: int, cuts: int) -> Contest:
    """The season in steps that cut it anywhere; tables are compared after the last."""
    events = list(Season(seed).events())
    wanted = expected.standings(json.loads(encode(event)) for event in events)
    size = len(events) // cuts + 1
    steps = [Step(str(at), events[at : at + size]) for at in range(0, len(events), size)]
    official = {
        (steps[-1].label, board): [
            Official(team, rank, dict(zip(metrics, map(Decimal, numbers), strict=True)))
            for rank, team, _, *numbers in wanted[f"{board} all"]
        ]
        for board, metrics in BOARDS.items()
    }
    return Contest(f"seed {seed}", GAME, RULES.read_text(), steps, official)


@pytest.mark.services
def test_the_season_comes_back_through_the_servers(tmp_path: Path) -> None:
    with Stack(tmp_path) as stack:
        verdict = judge("7", lambda: contest(7, cuts=9), stack.play)
    assert (verdict.error, verdict.mismatches) == ("", [])
    assert verdict.rows == 22
