"""Prints an event's solves as JSON lines: python -m examples.ctf DIR > solves.jsonl"""

import sys
from pathlib import Path

from examples.ctf.converter import events
from schemas.codec import encode

if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for event in events(Path(sys.argv[1])):
        sys.stdout.buffer.write(encode(event) + b"\n")
