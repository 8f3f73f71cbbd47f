"""Prints half a year of contributions as JSON lines: python -m examples.contributors [--seed 7] > contributions.jsonl"""

import argparse
import sys

from examples.contributors.history import History
from schemas.codec import encode


def main() -> int:
    """Writes all events."""
    parser = argparse.ArgumentParser(prog="python -m examples.contributors", description=__doc__)
    parser.add_argument("--seed", type=int, default=7, help="default: 7")
    try:
        for event in History(parser.parse_args().seed).events():
            sys.stdout.buffer.write(encode(event) + b"\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # The reader has had enough. Nothing is left to flush at exit either.
        sys.stderr.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
