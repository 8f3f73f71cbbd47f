"""Judges the boards by published tables. Exit status: 0 all reproduced, 1 mismatches are left, 2 it could not run."""

import argparse
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from schemas.errors import RankfoldError
from tests.corpora import report, through_fold
from tests.corpora.contest import Corpus, Runner
from tests.corpora.judge import NOT_COMPARED, Verdict, judge
from tests.corpora.registry import CORPORA


def main(arguments: list[str] | None = None) -> int:
    """Judges a corpus and prints what came out of it."""
    options = _parser().parse_args(arguments)
    corpus = CORPORA[options.name]
    try:
        held = corpus.seasons(options.corpus)
        chosen = select(held, options.seasons)
    except (OSError, ValueError) as error:
        print(f"{options.corpus}: {error}", file=sys.stderr)
        return 2
    out = sys.stderr if options.json else sys.stdout
    try:
        verdicts = _judge_all(corpus, options, chosen, out)
    except (RankfoldError, OSError, subprocess.SubprocessError) as error:
        print(f"the servers could not be started: {error}", file=sys.stderr)
        return 2
    if options.json:
        document = report.document(options.name, str(options.corpus), options.through, verdicts)
        sys.stdout.write(document.decode() + "\n")
    print(report.summary(options.name, verdicts), file=out)
    return 0 if all(verdict.good for verdict in verdicts) else 1


def _judge_all(corpus: Corpus, options: argparse.Namespace, chosen: list[str], out: TextIO) -> list[Verdict]:
    """Judges season after season, and tells of each as soon as it is done."""
    verdicts = []
    started = time.monotonic()
    print(f"{report.HEADER}   through {options.through}", file=out)
    with _runner(options.through) as runner:
        for count, (season, recipe) in enumerate(corpus.contests(options.corpus, chosen), 1):
            verdict = judge(season, recipe, runner)
            verdicts.append(verdict)
            progress = f"   {count}/{len(chosen)}, {time.monotonic() - started:.1f} s"
            print(report.line_of(verdict) + progress, file=out, flush=True)
            for difference in verdict.mismatches:
                print(report.mismatch(difference), file=out)
            for difference in verdict.exceptions:
                if difference.official == NOT_COMPARED:
                    print(report.unknown(difference), file=out)
    return verdicts


def select(held: list[str], wanted: str | None) -> list[str]:
    """The seasons out of `1970,1988-1990` that the corpus holds, all without a choice; ValueError when none is left.

    Where seasons have names instead of years, these are listed.
    """
    if wanted is None:
        return held
    if set(wanted.split(",")) <= set(held):
        return [season for season in held if season in wanted.split(",")]
    spans = []
    for part in wanted.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or not (last or first).isdecimal():
            raise ValueError(f"--seasons is written like 1970,1988-1990, not {wanted!r}")
        spans.append((int(first), int(last or first)))
    chosen = [season for season in held if _within(season, spans)]
    if not chosen:
        raise ValueError(f"none of the seasons {wanted} is in this corpus, which has {', '.join(held)}")
    return chosen


def _within(season: str, spans: list[tuple[int, int]]) -> bool:
    """Whether a season such as 1970 or 1970-71 began in one of the spans."""
    year = re.fullmatch(r"(\d{4})(-\d\d)?", season)
    return year is not None and any(low <= int(year[1]) <= high for low, high in spans)


@contextmanager
def _runner(through: str) -> Iterator[Runner]:
    if through == "fold":
        yield through_fold.play
        return
    from tests.corpora.through_streams import Stack  # The servers' libraries are only needed here.

    with tempfile.TemporaryDirectory(prefix="rankfold-corpora-") as folder, Stack(Path(folder)) as stack:
        yield stack.play


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.corpora", description=__doc__)
    parser.add_argument("name", choices=sorted(CORPORA), help="which corpus")
    parser.add_argument("--corpus", type=Path, required=True, metavar="DIR", help="the folder with its files")
    parser.add_argument("--seasons", metavar="LIST", help="for example 1970,1988-1990; default: all that DIR has")
    parser.add_argument("--through", choices=("fold", "streams"), default="fold", help="in memory, or the real servers")
    parser.add_argument("--json", action="store_true", help="print one JSON document instead of tables")
    return parser


if __name__ == "__main__":
    sys.exit(main())
