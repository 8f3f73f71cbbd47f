"""What each key of the ruleset language means, and an example of it. The structs say the rest."""

from schemas import language as lang

Keys = dict[str, tuple[str, str]]
"""By key: what it means, and a line of TOML."""

WHERE = "conditions that all must hold"

SOURCE: Keys = {
    "where": ("which events, or lines of a result, become marks", 'where = { kind = "race" }'),
    "entrant": ("the attribute whose value is ranked instead of the player", 'entrant = "team"'),
    "metric": ("the declared metric that computed points go into", 'metric = "circuit"'),
}
BONUSES = (
    "points for marks that meet conditions, added in the end",
    "bonuses = [{ points = 1, where = { pole = true } }]",
)
FACTORS = (
    "multiply the points of single results, not the bonuses",
    "factors = [{ times = 2, where = { round = 12 } }]",
)

TABLES: dict[type, Keys] = {
    lang.Ruleset: {
        "game": ("the game that the rules are for, a name", 'game = "arcade"'),
        "boards": (
            "the rankings, each a table `[boards.NAME]`, 1 to 64 of them",
            'boards.total.rank_by = ["points desc"]',
        ),
        "title": ("the game's name for people", 'title = "Arcade"'),
        "time_zone": ("where days, weeks and months begin, an IANA time zone", 'time_zone = "Europe/Berlin"'),
        "week_starts": ("the first day of weekly periods", 'week_starts = "sunday"'),
        "metrics": ("the numbers that events may carry, each a table `[metrics.NAME]`", "metrics.points.min = 0"),
        "sources": (
            "how events become marks, each a table `[sources.NAME]`; default: one for scores, one for adjustments, as they are",
            'sources.race.origin = "placements"',
        ),
        "seasons": (
            'stretches of days for the period "season"; they do not overlap',
            'seasons = [{ id = "2026", first = "2026-01-01", last = "2026-12-31" }]',
        ),
        "erased": ("whether the ranks of erased players stand, without a name, or close up", 'erased = "close"'),
        "spread": ("whether the game lives on all shards by player, and not on one", "spread = true"),
    },
    lang.Season: {
        "id": ("its name: the period is `season:ID`", 'id = "2026"'),
        "first": ("the first local day", 'first = "2026-01-01"'),
        "last": ("the last local day, included", 'last = "2026-12-31"'),
    },
    lang.MetricType: {
        "scale": ("digits behind the point, 0 to 12", "scale = 2"),
        "rounding": ("what happens to finer numbers: they are refused, or rounded half up", 'rounding = "half_up"'),
        "min": ("the least that one event may say (adjustments are free of it)", "min = 0"),
        "max": ("the most that one event may say (adjustments are free of it)", "max = 1_000_000"),
        "big": ("shown as text, because sums may pass 2^53", "big = true"),
    },
    lang.Range: {
        "min": ("at least so much", "min = 3"),
        "max": ("at most so much", "max = 10"),
        "above": ("more than so much", "above = 0"),
        "below": ("less than so much", "below = 2.5"),
        "exists": ("whether there is a value at all", "exists = false"),
    },
    lang.ScoreSource: {
        **SOURCE,
        "per": ("points for each one of a metric: weights", "per = { commits = 1, reviews = 3 }"),
        "bonuses": BONUSES,
    },
    lang.AdjustmentSource: SOURCE,
    lang.PlacementsSource: {
        **SOURCE,
        "points": ("points by position, the first place first", "points = [25, 18, 15]"),
        "bonuses": BONUSES,
        "factors": FACTORS,
        "per": ("points for each one of a metric of the line", "per = { kills = 1 }"),
        "shared": (
            "a seat of several lines gives each the whole points, an equal part, or none",
            'shared = "split"',
        ),
        "award": (
            "the metric that, on lines which carry it, is the points in place of all that is computed",
            'award = "awarded"',
        ),
    },
    lang.TableSource: {
        **SOURCE,
        "win": ("points for a win", "win = 2"),
        "draw": ("points for a draw", "draw = 1"),
        "loss": ("points for a loss", "loss = 0"),
        "scored": ("the metric that gets what the side scored", 'scored = "goals"'),
        "conceded": ("the metric that gets what the other side scored", 'conceded = "against"'),
        "best_of": (
            (
                "the score is the games won in a series of so many, which counts once it is decided; a name is the attribute "
                "that says how many"
            ),
            'best_of = "games"',
        ),
        "bonuses": BONUSES,
        "factors": FACTORS,
    },
    lang.PicksSource: {
        **SOURCE,
        "market": ("the picks' market; without it the picks that name none", 'market = "scorers"'),
        "grades": (
            "the ways in which a pick is right",
            'grades = [{ when = "exact", points = 3 }, { when = "tendency" }]',
        ),
        "grading": ("the first grade that holds counts, or all of them add up", 'grading = "sum"'),
        "wrong": ("points when no grade holds", "wrong = -1"),
        "stakes": ("what may be staked, as a table; without it stakes mean nothing", "stakes = { max = 10 }"),
        "lock": ("until when picks count, as a table", 'lock = { at = "round", minutes = 5 }'),
        "push": ("a result with the status push: no points, no mark at all (hold), or a loss", 'push = "hold"'),
        "void": ("the same for void", 'void = "zero"'),
        "abandoned": ("the same for abandoned", 'abandoned = "lose"'),
        "missing": (
            "who took part before and did not pick: no mark, no points, a loss, or a default choice",
            'missing = "lose"',
        ),
        "default": ('the choice of those who did not pick, with `missing = "default"`', 'default = "home"'),
        "guess": (
            "no grades but a number: its distance to the outcome's. Of equal distances: level; the one below first; none above",
            'guess = "absolute"',
        ),
        "over": ("the metric that is 1 for a guess above the outcome, else 0", 'over = "too_high"'),
    },
    lang.Bonus: {
        "points": ("how much", "points = 1"),
        "where": (WHERE, "where = { position = { max = 10 } }"),
        "split": ("divided equally among those of one result who meet `where`", "split = true"),
    },
    lang.Factor: {
        "times": ("by how much", "times = 0.5"),
        "where": (WHERE, "where = { round = 12 }"),
    },
    lang.Grade: {
        "when": ("what makes the pick right, see below", 'when = "exact"'),
        "points": ("what that is worth", "points = 3"),
        "outcome": ("the outcome to look at, if not that of the market", 'outcome = "winner"'),
        "option": ("the option that a probability is for", 'option = "home"'),
        "penalty": ("what the squared error of a probability costs", "penalty = 100"),
    },
    lang.Stakes: {
        "min": ("the least stake", "min = 1"),
        "max": ("the most; without it any", "max = 16"),
        "default": ("the stake of a pick that names none", "default = 1"),
        "unique": ("each number once a round (confidence points)", 'unique = "round"'),
    },
    lang.Lock: {
        "at": ("before what: the fixture's start, the first start of its round, or never", 'at = "round"'),
        "minutes": ("how long before", "minutes = 5"),
    },
    lang.Board: {
        "rank_by": (
            "the criteria, the first one first: metrics of the board, `reached`, tie-break tables",
            'rank_by = ["points desc", "time asc", "reached"]',
        ),
        "title": ("the board's name for people; default: made of its name", 'title = "High scores"'),
        "sources": ("whose marks it takes; default: those of all sources", 'sources = ["race", "officials"]'),
        "where": ("which marks it takes", "where = { staff = false }"),
        "keep": ("which of a player's marks count, as a table", 'keep = { mode = "best", by = "points" }'),
        "metrics": ("its numbers, at least one, each a table", 'metrics.points = { op = "sum", of = "points" }'),
        "ranks": ("ties: 1 2 2 4, dense 1 2 2 3, ordinal 1 2 3 4, modified 1 3 3 4", 'ranks = "dense"'),
        "periods": ("the stretches of which it has a copy each", 'periods = ["all", "weekly"]'),
        "qualify": ("what a player's metrics must meet to be ranked", "qualify = { played = { min = 3 } }"),
        "segments": (
            "copies for each value of an attribute, of the mark or of the player's profile",
            'segments = { country = "player" }',
        ),
        "windows": ("copies over the last so many local days, today included", "windows = [7, 30]"),
        "movement": ("since when rank changes are shown", 'movement = "weekly"'),
        "tiers": (
            "classes of ranked players; a player belongs to the first that fits",
            'tiers = [{ name = "champion", top = 1 }]',
        ),
        "badges": ("what is awarded once, each a table", "badges.hunter.where = { kills = { min = 40 } }"),
        "access": ("who may see it: anybody, or who has a key with the scope `read`", 'access = "private"'),
    },
    lang.Keep: {
        "mode": ("all marks, the best, the latest, or the first", 'mode = "best"'),
        "n": ("how many", "n = 5"),
        "by": (
            "the metric that makes a mark the best, or `position`; with ` asc` the least is. Rounds without it are behind",
            'by = "time asc"',
        ),
        "per": ("single marks, or all marks of a round together", 'per = "round"'),
        "marks": ("of each round only the best so many marks", "marks = 1"),
        "spans": ("stretches of rounds, each with a number of its own", "spans = [{ first = 1, last = 10, n = 8 }]"),
    },
    lang.Span: {
        "first": ("its first round", "first = 1"),
        "last": ("its last round, included; without it there is no end", "last = 10"),
        "n": ("how many of its rounds count, the best ones; without it all", "n = 8"),
    },
    lang.Metric: {
        "op": ("the operation, see below", 'op = "sum"'),
        "of": (
            "the declared metric that it is of, or `position`; for a difference or ratio a metric of the board",
            'of = "points"',
        ),
        "by": ("the other metric of a difference or ratio", 'by = "against"'),
        "where": ("which marks it looks at", "where = { position = 1 }"),
        "over": ("the marks that `keep` keeps, or all", 'over = "all"'),
        "scale": ("digits of an average or ratio; default 6", "scale = 2"),
        "caps": ("at most so much of a sum", 'caps = [{ most = 50, per = "day" }]'),
        "hold": ("marks that neither add to a streak nor end it", 'hold = { verdict = "draw" }'),
        "per": ("the unit of a streak", 'per = "day"'),
        "absence": ("whether a day or round without a mark ends a streak", 'absence = "hold"'),
        "n": ("how many verdicts a form shows, 1 to 20", "n = 5"),
        "group": ("the attribute whose values are told apart by distinct and attempts", 'group = "problem"'),
        "tries": ("failed attempts: marks that cost something if a success follows", 'tries = { result = "rejected" }'),
        "each": ("what each of them costs, in the unit of `of`", "each = 20"),
        "across": ("whether the groups' numbers add up, or the greatest holds", 'across = "max"'),
    },
    lang.Cap: {
        "most": ("the limit", "most = 50"),
        "per": ("of each local day, week or month, or of each round", 'per = "week"'),
        "where": (
            "the marks that it is for; a mark falls under the first cap that fits",
            'where = { kind = "review" }',
        ),
    },
    lang.TieBreak: {
        "countback": ("more first places, then more second places, and so on", 'countback = "position"'),
        "where": ("the marks whose places count in it", 'where = { kind = "race" }'),
        "places": ("down to which place, 1 to 200", "places = 20"),
        "head_to_head": (
            "metrics of the board, over the marks between those who are level",
            'head_to_head = ["points desc"]',
        ),
        "lot": ("a draw by this recorded number", "lot = 20260208"),
    },
    lang.Tier: {
        "name": ("what it is called", 'name = "champions league"'),
        "top": ("the first so many ranks", "top = 4"),
        "percent": ("the first so many per cent of those ranked, rounded up", "percent = 10"),
        "where": ("what the metrics must meet", "where = { points = { min = 1000 } }"),
    },
    lang.Badge: {
        "where": ("what the metrics must meet; once they have, the badge stays", "where = { titles = { min = 2 } }"),
        "title": ("its name for people", 'title = "Two cups won"'),
    },
}

OPERATIONS: dict[str, str] = {
    "sum": "all values together; `caps` limit it",
    "max": "the greatest value",
    "min": "the least value",
    "last": "the value of the last mark",
    "first": "the value of the first mark",
    "count": "how many marks",
    "average": "the mean of the values, adjustments added before dividing; rounded half up",
    "difference": "`of` less `by`, both metrics of the board",
    "ratio": "`of` divided by `by`, both metrics of the board; by zero it is more than any number and shows as null",
    "streak": "how many marks in a row up to now meet `where`, in contest order",
    "longest_streak": "the longest such row that there was",
    "form": "the last `n` verdicts as letters, the latest last: W win, D draw, L loss, P push, V void",
    "distinct": "how many values the attribute `group` has",
    "attempts": (
        "for every value of `group`: `of` of the first mark that meets `where`, and `each` for every mark before it that "
        "meets `tries`; added up, or the greatest of them"
    ),
}
