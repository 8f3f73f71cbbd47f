"""Where a problem stands in a TOML text: the line of the deepest table or key that its path names."""

import re

from schemas.errors import Problem


def with_line(problem: Problem, text: str) -> Problem:
    """Adds the line to the rule; a path's `[...]` stands for any name. Keys inside inline tables are not looked for."""
    parts = [part for part in re.split(r"[.\[\]]+", problem.field.replace("[...]", ".*")) if not part.isdecimal()]
    best, depth, section = 0, 0, []
    for number, line in enumerate(text.splitlines(), 1):
        header, key = re.match(r"\s*\[+([^\[\]]+)\]", line), re.match(r"\s*([\w.\"' -]+?)\s*=", line)
        if header:
            section = _names(header[1])
        path = section if header else section + _names(key[1]) if key else []
        fits = all(part in (name, "*") for name, part in zip(path, parts, strict=False))
        if depth < len(path) <= len(parts) and fits:
            best, depth = number, len(path)
    return Problem(problem.field, f"{problem.rule} (line {best})") if best else problem


def _names(path: str) -> list[str]:
    return [name.strip(" \"'") for name in path.split(".")]
