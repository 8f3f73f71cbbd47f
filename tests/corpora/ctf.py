"""The corpus of a capture-the-flag event: the scoreboard, and the places within each division."""

from collections.abc import Iterable, Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path

from examples.ctf.converter import GAME, STAFF_RANK, events, read_teams, ruleset
from examples.f1.corpus import Line
from tests.corpora.contest import Contest, Corpus, Official, Recipe, Step

FINAL = "final"


def seasons(folder: Path) -> list[str]:
    """A folder holds one event, which goes by the folder's name."""
    read_teams(folder)
    return [folder.resolve().name]


def contests(folder: Path, chosen: list[str]) -> Iterator[tuple[str, Recipe]]:
    """The event of the folder."""
    for name in chosen:
        yield name, partial(_contest, folder, name)


def _contest(folder: Path, name: str) -> Contest:
    lines = list(read_teams(folder).values())
    tables = {(FINAL, "scoreboard"): list(_table(lines, "rank", ("score", "solved", "last")))}
    for division in sorted({line["division"] for line in lines if line["division"]}):
        inside = [line for line in lines if line["division"] == division]
        tables[FINAL, f"divisions/division:{division}"] = list(_table(inside, "division_rank", ("score", "solved")))
    return Contest(name, GAME, ruleset(), [Step(FINAL, list(events(folder)))], tables)


def _table(lines: list[Line], place: str, metrics: Iterable[str]) -> Iterator[Official]:
    """The published lines. Teams with one score and one last solve, or none, stand in whatever order: a block."""
    blocks: dict[tuple[str, str], list[int]] = {}
    for line in lines:
        if line[place] not in ("", STAFF_RANK):
            blocks.setdefault((line["score"], line["last_submission_ms"]), []).append(int(line[place]))
    for line in lines:
        published = {"score": line["score"], "solved": line["solved"], "last": line["last_submission_ms"]}
        values = {name: Decimal(published[name]) for name in metrics if published[name]}
        if line[place] in ("", STAFF_RANK):
            yield Official(line["team_id"], None, values)
            continue
        block = blocks[line["score"], line["last_submission_ms"]]
        yield Official(line["team_id"], min(block), values, max(block))


CORPUS = Corpus(seasons, contests)
