"""Writes contests as files for `rankfold fold` and `rankfold publish`: python -m examples.icpc DIR OUT [CONTEST ...]."""

import sys
from pathlib import Path

from examples.icpc.converter import events, read_contests
from schemas.codec import encode


def main(folder: Path, out: Path, chosen: list[str]) -> int:
    """Writes GAME.toml and GAME.jsonl for the chosen contests of `folder`, or for all."""
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    for name, contest in read_contests(folder).items():
        if not chosen or name in chosen:
            (out / f"{contest.game}.toml").write_text(contest.ruleset, encoding="utf-8")
            (out / f"{contest.game}.jsonl").write_bytes(b"".join(encode(event) + b"\n" for event in events(contest)))
            written += 1
    print(f"{written} contests written to {out}")
    return 0 if written else 1


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
