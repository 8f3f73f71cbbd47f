"""Prints a season as JSON lines: python -m examples.esports [--seed 7] > season.jsonl"""

import argparse
import sys

from examples.esports.season import Season
from schemas.codec import encode


def main() -> int:
    """Writes all events of the season."""
    parser = argparse.ArgumentParser(prog="python -m examples.esports", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="default: 7")
    for event in Season(parser.parse_args().seed).events():
        sys.stdout.buffer.write(encode(event) + b"\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
