"""Prints runs as JSON lines: python -m examples.arcade [--runs 10000] [--days 14] [--live] > runs.jsonl"""

import argparse
import sys
from datetime import datetime, timedelta

from examples.arcade.players import Arcade
from schemas.codec import encode

UNTIL = "2026-02-08T18:00:00Z"


def main() -> int:
    """Writes the past runs, then, if asked to, live ones for as long as somebody reads them."""
    options = _parser().parse_args()
    arcade = Arcade(options.seed, options.players)
    until: datetime = options.until
    write = sys.stdout.buffer.write
    try:
        for run in arcade.past(options.runs, until - timedelta(days=options.days), until):
            write(encode(run) + b"\n")
        for run in arcade.runs() if options.live else ():
            write(encode(run) + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has had enough. Nothing is left to flush at exit either.
        sys.stderr.close()
    return 0


def _time(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError
    except ValueError:
        raise argparse.ArgumentTypeError(f"a time with its offset, such as {UNTIL}") from None
    return moment


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m examples.arcade", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="default: 7")
    parser.add_argument("--players", type=int, default=500, help="how many play; default: 500")
    parser.add_argument("--runs", type=int, default=10_000, help="how many past runs; default: 10000")
    parser.add_argument("--days", type=int, default=14, help="how many days they are spread over; default: 14")
    parser.add_argument("--until", type=_time, default=UNTIL, help=f"when the last of them was; default: {UNTIL}")
    parser.add_argument("--live", action="store_true", help="go on without end, with runs that happen when they arrive")
    return parser


if __name__ == "__main__":
    sys.exit(main())
