"""Writes seasons as files for `rankfold fold` and `rankfold publish`: python -m examples.f1 DIR OUT [SEASON ...]."""

import sys
from pathlib import Path

from examples.f1.converter import events
from examples.f1.corpus import read_seasons
from examples.f1.rulesets import ruleset
from schemas.codec import encode


def main(folder: Path, out: Path, chosen: list[str]) -> int:
    """Writes f1-SEASON.toml and f1-SEASON.jsonl for the chosen seasons of `folder`, or for all."""
    out.mkdir(parents=True, exist_ok=True)
    written = 0
    for year, season in read_seasons(folder).items():
        if not chosen or str(year) in chosen:
            (out / f"{season.game}.toml").write_text(ruleset(season), encoding="utf-8")
            (out / f"{season.game}.jsonl").write_bytes(b"".join(encode(event) + b"\n" for event in events(season)))
            written += 1
    print(f"{written} seasons written to {out}")
    return 0 if written else 1


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]))
