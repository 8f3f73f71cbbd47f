"""Rulesets: what may be written, and that each mistake is named by field, rule and line."""

import pytest

from schemas.errors import InvalidRuleset
from schemas.language import Ruleset, TieBreak, rank_item
from schemas.ruleset import RULESET_BYTES_MAX, parse

GOOD = """\
game = "g"
time_zone = "Europe/Berlin"
seasons = [{ id = "2026", first = "2026-03-01", last = "2026-11-30" }]

[metrics.points]
scale = 1
min = 0
max = 100.5

[metrics.laps]

[sources.race]
origin = "placements"
where = { kind = "race" }
points = [25, 18.5]
bonuses = [{ points = 1, where = { fastest_lap = true } }]
factors = [{ times = 0.5, where = { half = true } }]
per = { laps = 0.1 }
award = "points"

[sources.runs]
origin = "score"

[boards.drivers]
rank_by = ["points desc", { countback = "position" }, "reached"]
sources = ["race"]
periods = ["all", "season"]

[boards.drivers.keep]
mode = "best"
by = "points desc"
per = "round"
marks = 2
spans = [{ first = 1, last = 7, n = 4 }, { first = 8 }]

[boards.drivers.qualify]
points = { min = 1 }

[boards.drivers.metrics.points]
op = "sum"
of = "points"

[boards.drivers.metrics.wins]
op = "count"
where = { position = 1 }
"""


def wrong(text: str) -> list[str]:
    """Every problem as `field: rule (line n)`."""
    with pytest.raises(InvalidRuleset) as caught:
        parse(text)
    return [str(problem) for problem in caught.value.problems]


def with_(old: str, new: str) -> str:
    """The good ruleset with one thing changed."""
    assert GOOD.count(old) == 1
    return GOOD.replace(old, new)


def line_of(text: str, part: str) -> int:
    """The number of the first line that holds `part`."""
    return next(number for number, line in enumerate(text.splitlines(), 1) if part in line)


def test_the_good_one_is_read() -> None:
    rules = parse(GOOD, game="g")
    assert isinstance(rules, Ruleset)
    assert rules.boards["drivers"].rank_by[1] == TieBreak(countback="position")
    assert rules.week_starts == "monday"


def test_defaults_take_scores_and_adjustments_as_they_are() -> None:
    rules = parse('game = "g"\n[metrics.p]\n[boards.b]\nrank_by = ["p"]\n[boards.b.metrics.p]\nop = "sum"\nof = "p"\n')
    assert sorted(rules.sources) == ["adjustment", "score"]
    board = rules.boards["b"]
    assert (board.ranks, board.periods, board.keep.mode) == ("competition", ["all"], "all")


@pytest.mark.parametrize(
    ("item", "means"),
    [
        ("points", ("points", True)),
        ("points desc", ("points", True)),
        ("time asc", ("time", False)),
        ("reached", ("reached", False)),
    ],
)
def test_rank_items(item: str, means: tuple[str, bool]) -> None:
    assert rank_item(item) == means


KNOWN = "known: laps, points"
NUMBER = "a number is finite: NaN and Infinity are refused"
DIGITS = "a decimal has at most 28 digits, 12 of them behind the point"
ZONE = "an IANA time zone such as Europe/Berlin"
DAYS = "first and last are days such as 2026-02-08, and last is not before first"
ITEM = 'a metric, with " desc" or " asc" behind it'
FIRST = "reached breaks ties of the criteria before it, so it cannot be the first"
OPERATIONS = (
    "attempts, average, count, difference, distinct, first, form, last, longest_streak, max, min, ratio, streak, sum"
)
NAME = "a name is [a-z0-9][a-z0-9._-]{0,63}"


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ('game = "g"\n', "\n", "game: object missing required field `game`"),
        ('game = "g"', 'game = "G"', f"game: {NAME}"),
        ('game = "g"', "game = 7", "game: expected `str`, got `int`"),
        ("Europe/Berlin", "Europe/Atlantis", f"time_zone: {ZONE}"),
        ("Europe/Berlin", "Europe", f"time_zone: {ZONE}"),
        ("Europe/Berlin", "../../etc/passwd", f"time_zone: {ZONE}"),
        ("Europe/Berlin", "", f"time_zone: {ZONE}"),
        ("Europe/Berlin", "localtime", f"time_zone: {ZONE}"),
        ("2026-11-30", "2026-02-28", f"seasons[0]: {DAYS}"),
        ("2026-11-30", "2026-11-31", f"seasons[0]: {DAYS}"),
        ("2026-03-01", "2026-3-1", f"seasons[0]: {DAYS}"),
        ("2026-03-01", "٢٠٢٦-03-01", f"seasons[0]: {DAYS}"),
        ('id = "2026"', 'id = "A"', f"seasons[0].id: {NAME}"),
        ("[metrics.laps]", '[metrics.laps]\n[metrics."Laps"]', f"metrics.Laps: {NAME}"),
        ("[metrics.laps]", "[metrics.round]\n[metrics.laps]", "metrics.round: round is a reserved name"),
        ("[metrics.laps]", "[metrics.laps]\nscale = 13", "metrics.laps.scale: 0 to 12 digits behind the point"),
        ("[metrics.laps]", "[metrics.laps]\nscale = 1.5", "metrics.laps.scale: expected `int`, got `str`"),
        ("[metrics.laps]", "[metrics.laps]\ncolour = 1", "metrics.laps.colour: object contains unknown field `colour`"),
        ("min = 0", "min = 101", "metrics.points.min: not above max"),
        ("min = 0", "min = nan", f"metrics.points.min: {NUMBER}"),
        ("max = 100.5", "max = inf", f"metrics.points.max: {NUMBER}"),
        ("max = 100.5", "max = 1e400", f"metrics.points.max: {DIGITS}"),
        ('origin = "score"', 'origin = "scores"',
         "sources.runs.origin: invalid value 'scores'; one of score, adjustment, placements, table, picks"),
        ("[sources.runs]", '[sources."R"]', f"sources.R: {NAME}"),
        ('origin = "score"', 'origin = "score"\npoints = [1]',
         'sources.runs.points: object contains unknown field `points`'),
        ('origin = "score"', 'origin = "score"\nshared = "split"',
         'sources.runs.shared: object contains unknown field `shared`'),
        ("points = [25, 18.5]", "points = [25, nan]", f"sources.race.points[1]: {NUMBER}"),
        ("points = [25, 18.5]", "points = [1e999999999]", f"sources.race.points[0]: {DIGITS}"),
        ("points = [25, 18.5]", 'points = [25]\nmetric = "goals"', f"sources.race.metric: unknown metric 'goals'; {KNOWN}"),
        ("{ points = 1, where = { fastest_lap", "{ points = inf, where = { fastest_lap",
         f"sources.race.bonuses[0].points: {NUMBER}"),
        ("times = 0.5", "times = 1e999999999", f"sources.race.factors[0].times: {DIGITS}"),
        ("{ laps = 0.1 }", "{ laps = nan }", f"sources.race.per.laps: {NUMBER}"),
        ("{ laps = 0.1 }", "{ goals = 1 }", f"sources.race.per.goals: unknown metric 'goals'; {KNOWN}"),
        ('award = "points"', 'award = "goals"', f"sources.race.award: unknown metric 'goals'; {KNOWN}"),
        ("{ kind = \"race\" }", "{ laps = { min = nan } }", f"sources.race.where.laps.min: {NUMBER}"),
        ("{ half = true }", "{ half = { max = inf } }", f"sources.race.factors[0].where.half.max: {NUMBER}"),
        ("{ fastest_lap = true }", "{ laps = { above = 1e400 } }", f"sources.race.bonuses[0].where.laps.above: {DIGITS}"),
        ("{ position = 1 }", "{ position = { below = nan } }",
         f"boards.drivers.metrics.wins.where.position.below: {NUMBER}"),
        ("[boards.drivers]", '[boards.drivers]\nwhere = { laps = { min = inf } }', f"boards.drivers.where.laps.min: {NUMBER}"),
        ("{ min = 1 }", "{ min = nan }", f"boards.drivers.qualify.points.min: {NUMBER}"),
        ("points = { min = 1 }", "goals = { min = 1 }",
         "boards.drivers.qualify.goals: unknown metric; this board has points, wins"),
        ('"race"]\n', '"races"]\n', "boards.drivers.sources: unknown source 'races'; known: race, runs"),
        ('of = "points"', 'of = "goals"', f"boards.drivers.metrics.points.of: unknown metric 'goals'; {KNOWN}"),
        ('of = "points"', 'of = "wins"',
         f"boards.drivers.metrics.points.of: made of a declared metric, not of a board's; {KNOWN}"),
        ('of = "points"', "", f"boards.drivers.metrics.points.of: sum needs the metric that it is of; {KNOWN}"),
        ('op = "count"', 'op = "count"\nof = "points"',
         "boards.drivers.metrics.wins.of: count has no `of`; it looks at the marks that meet `where`"),
        ("metrics.wins]", "metrics.position]", "boards.drivers.metrics.position: position is a reserved name"),
        ('op = "sum"', 'op = "total"', f"boards.drivers.metrics.points.op: invalid enum value 'total'; one of {OPERATIONS}"),
        ('"points desc", {', '"points down", {', f"boards.drivers.rank_by[0]: {ITEM}"),
        ('"points desc", {', '"goals", {', "boards.drivers.rank_by[0]: unknown metric 'goals'; this board has points, wins"),
        ('"points desc", {', '"reached", {', f"boards.drivers.rank_by[0]: {FIRST}"),
        ('"points desc", {', '"reached asc", {', f"boards.drivers.rank_by[0]: {FIRST}"),
        ('countback = "position"', 'countback = "wins"',
         'boards.drivers.rank_by[1]: countback = "position", places 1 to 200'),
        ('countback = "position"', 'countback = "position", places = 201',
         'boards.drivers.rank_by[1]: countback = "position", places 1 to 200'),
        ('by = "points desc"', "", f"boards.drivers.keep.by: best needs the metric to compare; {KNOWN}"),
        ('by = "points desc"', 'by = "goals"', f"boards.drivers.keep.by: unknown metric 'goals'; {KNOWN}"),
        ('by = "points desc"', 'by = "points up"', f"boards.drivers.keep.by: {ITEM}"),
        ('by = "points desc"', 'by = "points desc"\nn = 0', "boards.drivers.keep.n: at least 1"),
        ("marks = 2", "marks = 0", "boards.drivers.keep.marks: at least 1"),
        ("n = 4", "n = 0", "boards.drivers.keep.spans[0].n: at least 1"),
        ("last = 7", "last = 0", "boards.drivers.keep.spans[0]: last is not before first"),
        ("first = 8", "first = 7", "boards.drivers.keep.spans: spans do not overlap"),
        ('per = "round"', "", 'boards.drivers.keep: spans and marks need per = "round"'),
        ('mode = "best"', 'mode = "all"', 'boards.drivers.keep.spans: spans need mode = "best"'),
        ('["all", "season"]', '["all", "all"]', "boards.drivers.periods: at least one period, each once"),
        ('["all", "season"]', "[]", "boards.drivers.periods: at least one period, each once"),
        ('["all", "season"]', '["hourly"]',
         "boards.drivers.periods[0]: invalid enum value 'hourly'; one of all, daily, monthly, round, season, weekly"),
        ('periods = ["all", "season"]', 'ranks = "olympic"',
         "boards.drivers.ranks: invalid enum value 'olympic'; one of competition, dense, modified, ordinal"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named_with_its_line(old: str, new: str, problem: str) -> None:
    text = with_(old, new)
    (found,) = wrong(text)
    assert found.partition(" (line ")[0] == problem


@pytest.mark.parametrize(
    ("old", "new", "marked"),
    [
        ("Europe/Berlin", "Europe/Atlantis", "time_zone"),
        ("min = 0", "min = 101", "min = 101"),
        ("2026-11-30", "2026-02-28", "seasons"),
        ("points = [25, 18.5]", "points = [25, nan]", "points = [25, nan]"),
        ("{ laps = 0.1 }", "{ goals = 1 }", "per = "),
        ('of = "points"', 'of = "goals"', 'of = "goals"'),
        ('op = "count"', 'op = "count"\nof = "points"', 'op = "count"'),
        ('by = "points desc"', 'by = "goals"', 'by = "goals"'),
        ('op = "sum"', 'op = "total"', 'op = "total"'),
        ("[metrics.laps]", "[metrics.laps]\ncolour = 1", "colour"),
    ],
)
def test_lines(old: str, new: str, marked: str) -> None:
    text = with_(old, new)
    (found,) = wrong(text)
    expected = line_of(text, marked) + ("count" in marked)
    assert found.endswith(f"(line {expected})")


def test_all_problems_are_named_at_once() -> None:
    text = with_("Europe/Berlin", "Mars").replace('of = "points"', 'of = "goals"').replace("marks = 2", "marks = 0")
    assert [found.partition(":")[0] for found in wrong(text)] == [
        "time_zone",
        "boards.drivers.metrics.points.of",
        "boards.drivers.keep.marks",
    ]


def test_a_metric_of_a_board_is_not_made_of_itself() -> None:
    two = 'a = { op = "sum", of = "b" }\nb = { op = "sum", of = "a" }'
    one = 'a = { op = "sum", of = "a" }'
    head = 'game = "g"\n[metrics.points]\n[boards.x]\nrank_by = ["a"]\n[boards.x.metrics]\n'
    cycle = "a metric cannot be made of itself (a cycle); known: points"
    assert wrong(head + one) == [f"boards.x.metrics.a.of: {cycle} (line 6)"]
    assert wrong(head + two) == [
        f"boards.x.metrics.a.of: {cycle} (line 6)",
        f"boards.x.metrics.b.of: {cycle} (line 7)",
    ]


def test_seasons_have_ids_of_their_own_and_do_not_overlap() -> None:
    def seasons(*items: str) -> str:
        return with_('{ id = "2026", first = "2026-03-01", last = "2026-11-30" }', ", ".join(items))

    spring, autumn = (
        '{ id = "a", first = "2026-03-01", last = "2026-05-31" }',
        '{ id = "b", first = "%s", last = "2026-12-31" }',
    )
    assert len(parse(seasons(spring, autumn % "2026-06-01")).seasons) == 2
    assert wrong(seasons(spring, autumn % "2026-05-31")) == ["seasons: seasons do not overlap (line 3)"]
    twice = (autumn % "2026-06-01").replace('"b"', '"a"')
    assert wrong(seasons(spring, twice)) == ["seasons: each season has an id of its own (line 3)"]
    assert wrong(seasons()) == [
        "seasons: a board with the period season needs [[seasons]] with id, first and last (line 3)"
    ]


def test_the_points_of_placements_need_a_declared_metric() -> None:
    head = 'game = "g"\n[metrics.a]\n[sources.s]\norigin = "placements"\n%s\n'
    text = head + '[boards.b]\nrank_by = ["a"]\nmetrics = { a = { op = "sum", of = "a" } }\n'
    unknown = "sources.s.metric: unknown metric 'points'; known: a (line 3)"
    assert parse(text % "").sources["s"].metric == "points"
    assert wrong(text % "points = [1]") == [unknown]
    assert wrong(text % 'award = "a"') == [unknown]


@pytest.mark.parametrize("boards", [0, 65])
def test_1_to_64_boards(boards: int) -> None:
    board = '[boards.b%d]\nrank_by = ["p"]\n[boards.b%d.metrics]\np = { op = "sum", of = "p" }\n'
    text = 'game = "g"\n[metrics.p]\n' + "".join(board % (at, at) for at in range(boards))
    assert wrong(text + ("" if boards else "[boards]\n"))[0].startswith("boards: a ruleset has 1 to 64 boards")


def test_a_board_needs_metrics_and_criteria() -> None:
    assert wrong('game = "g"\n[metrics.p]\n[boards.b]\nrank_by = []\n') == [
        "boards.b.metrics: a board has at least one metric (line 3)",
        "boards.b.rank_by: 1 to 16 criteria (line 4)",
    ]


def test_the_game_must_be_the_one_meant() -> None:
    with pytest.raises(InvalidRuleset) as caught:
        parse(GOOD, game="other")
    assert [str(problem) for problem in caught.value.problems] == [
        "game: this ruleset is for 'g', not for 'other' (line 1)"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "= 1",
        'game = "g',
        "[boards.b",
        'game = "a"\ngame = "b"',
        "x = " + "[" * 50_000,
        "\x00",
    ],
)
def test_what_is_not_toml_is_said_to_be_so(text: str) -> None:
    (found,) = wrong(text)
    assert found.startswith("not valid TOML: ")


def test_a_ruleset_has_a_largest_size() -> None:
    fits = GOOD + "#" * (RULESET_BYTES_MAX - len(GOOD))
    assert parse(fits).game == "g"
    assert wrong(fits + "#") == ["a ruleset is at most 200000 bytes"]


def test_numbers_are_exact() -> None:
    rules = parse(GOOD)
    assert str(rules.sources["race"].per["laps"]) == "0.1"
    assert str(rules.sources["race"].points[1]) == "18.5"
    assert str(rules.metrics["points"].max) == "100.5"
