"""Prints a season as JSON lines: python -m examples.football_league [--seed 17] > season.jsonl"""

import argparse
import sys

from examples.football_league.season import Season
from schemas.codec import encode


def main() -> int:
    """Writes every event of the season."""
    parser = argparse.ArgumentParser(prog="python -m examples.football_league", description=__doc__)
    parser.add_argument("--seed", type=int, default=17, help="default: 17")
    options = parser.parse_args()
    for event in Season(options.seed).events():
        sys.stdout.buffer.write(encode(event) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
