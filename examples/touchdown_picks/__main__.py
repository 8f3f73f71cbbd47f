"""Prints a season as JSON lines: python -m examples.touchdown_picks [--seed 7] > season.jsonl"""

import argparse
import sys

from examples.touchdown_picks.season import Season
from schemas.codec import encode


def main() -> int:
    """Writes every event of the season."""
    parser = argparse.ArgumentParser(prog="python -m examples.touchdown_picks", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="default: 7")
    options = parser.parse_args()
    for event in Season(options.seed).events():
        sys.stdout.buffer.write(encode(event) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
