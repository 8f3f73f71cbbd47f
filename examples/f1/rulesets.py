"""A season's entry in rules.json as a ruleset (TOML). No season is named here: every difference is the entry's."""

import re
from decimal import Decimal
from typing import Any

from examples.f1.corpus import Season

Rules = dict[str, Any]

HEAD = """\
# Made of the season's entry in rules.json by examples/f1/rulesets.py.
game = "{game}"
title = "Formula 1, {year}"

[metrics.points]
scale = 2
rounding = "half_up"

# The points of a line for which the officials decided otherwise than the rules below.
[metrics.awarded]
scale = 2
rounding = "half_up"

[sources.officials]
origin = "adjustment"
"""


def ruleset(season: Season) -> str:
    """The ruleset of a season's game as TOML; raises ValueError for a rule in words that are not known here."""
    rules = season.rules
    teams: Rules | None = rules.get("constructors")
    parts = [HEAD.format(game=season.game, year=season.year), *_sources("", rules, rules)]
    if teams is not None:
        parts += _sources("constructors-", teams, rules)
    parts.append(_board("drivers", "", rules, rules["drivers_segments"], rules))
    if teams is not None:
        parts.append(_board("constructors", "constructors-", teams, teams["segments"], rules))
    return "\n".join(parts)


def _sources(prefix: str, own: Rules, rules: Rules) -> list[str]:
    """The sources of one championship: `own` holds its scoring, `rules` what both championships have in common."""
    parts = [_source(f"{prefix}race", "race", own["race_points"], own, rules, _bonuses(own) + _factors(rules))]
    if rules.get("sprint_points"):
        parts.append(_source(f"{prefix}sprint", "sprint", rules["sprint_points"], own, rules, []))
    return parts


def _source(name: str, kind: str, points: list[Any], own: Rules, rules: Rules, extra: list[str]) -> str:
    where = [f'kind = "{kind}"']
    if own.get("indianapolis_500_counts") is False:
        where.append("indianapolis = { exists = false }")
    lines = [f"[sources.{name}]", 'origin = "placements"', f"where = {{ {', '.join(where)} }}"]
    if own is not rules:
        lines.append('entrant = "constructor"')
    lines += [f"points = [{', '.join(map(_number, points))}]", *extra]
    lines += [f'shared = "{_shared(rules["shared_drives"])}"', 'award = "awarded"']
    return "\n".join(lines) + "\n"


def _shared(words: str | None) -> str:
    if not words:
        return "each"
    if "divided equally" in words:
        return "split"
    if "no points" in words:
        return "none"
    raise ValueError(f"shared_drives in unknown words: {words!r}")


def _bonuses(own: Rules) -> list[str]:
    """The points for the fastest lap: among how many it is split, and how far down the order it is given."""
    words = own.get("fastest_lap_point")
    if not words:
        return []
    points = re.match(r"\d+", words)
    top = re.search(r"top (\d+)", words)
    where = ["fastest_lap = true"]
    if top:
        where.append(f"position = {{ max = {top[1]} }}")
    elif "classified" in words:
        where.append("position = { exists = true }")
    split = ", split = true" if "split" in words else ""
    return [f"bonuses = [{{ points = {points[0] if points else 1}, where = {{ {', '.join(where)} }}{split} }}]"]


def _factors(rules: Rules) -> list[str]:
    rounds = rules.get("half_or_double_rounds") or {}
    if not rounds:
        return []
    tables = [
        f"{{ times = {_number(times)}, where = {{ round = {int(number)} }} }}" for number, times in rounds.items()
    ]
    return [f"factors = [{', '.join(tables)}]"]


def _board(name: str, prefix: str, own: Rules, segments: list[Rules], rules: Rules) -> str:
    sources = [f"{prefix}race", *([f"{prefix}sprint"] if rules.get("sprint_points") else []), "officials"]
    best_car = str(own.get("cars_counted", "")).startswith("best car")
    drops = any(segment.get("best") is not None for segment in segments)
    lines = [f"[boards.{name}]", f"sources = [{', '.join(map(_text, sources))}]"]
    lines += [f"rank_by = [{', '.join(_rank_by(own['tie_break']))}]", *_qualify(rules["listed"])]
    lines += ["", f"[boards.{name}.metrics]", 'points = { op = "sum", of = "points" }']
    if drops and not best_car:
        lines.append('gross = { op = "sum", of = "points", over = "all" }')
    lines.append('wins = { op = "count", where = { kind = "race", position = 1 }, over = "all" }')
    lines.append('finishes = { op = "count", where = { kind = "race", position = { exists = true } }, over = "all" }')
    if drops or best_car:
        lines += ["", f"[boards.{name}.keep]", 'mode = "best"', 'by = "points"', 'per = "round"']
        lines += [*(["marks = 1"] if best_car else []), f"spans = [{', '.join(map(_span, segments))}]"]
    return "\n".join(lines) + "\n"


def _rank_by(words: str) -> list[str]:
    """Points, then countback; then, where full ties are not shared, who was the first to get there."""
    scoring = ", points = { above = 0 }" if "points-scoring" in words else ""
    criteria = [_text("points desc"), f'{{ countback = "position", where = {{ kind = "race"{scoring} }} }}']
    if "reached" in words or "not shared" in words:
        criteria.append(_text("reached"))
    return criteria


def _qualify(words: str) -> list[str]:
    """Who is listed: those with points, those who finished a race, or everyone who entered."""
    if "with points" in words:
        return ["qualify = { points = { above = 0 } }"]
    if "classified" in words:
        return ["qualify = { finishes = { min = 1 } }"]
    if "entered" in words:
        return []
    raise ValueError(f"listed in unknown words: {words!r}")


def _span(segment: Rules) -> str:
    keys = {"first": segment["from_round"], "last": segment.get("to_round"), "n": segment.get("best")}
    return "{ " + ", ".join(f"{key} = {int(value)}" for key, value in keys.items() if value is not None) + " }"


def _number(value: Any) -> str:
    """A JSON number or its text, as TOML writes it without losing a digit."""
    number = Decimal(str(value))
    return str(int(number)) if number == int(number) else str(number)


def _text(value: str) -> str:
    return f'"{value}"'
