"""Every error that Rankfold raises on purpose, on one page.

RankfoldError
├── InvalidInput            the caller's data is wrong: `problems` name each field and the rule it breaks
│   ├── InvalidEvent        an event that cannot be decoded or breaks a rule of its shape
│   └── InvalidRuleset      a ruleset that cannot be parsed or contradicts itself
├── NotFound                a game, board, period or player that does not exist
├── Conflict                an id or revision that was used before with another content
├── TooLate                 the position asked for is no longer, or not yet, available
├── ConcurrentWriter        the compare-and-set on a shard's position failed: somebody else moved it
├── LogBroken               the log contradicts the archive: the shard must stop until an operator decides
└── Unavailable             a service did not answer; the same call may succeed later
    └── InColdArchive       events that are needed were moved to files: bring them back

HTTP statuses belong to `api`, exit codes to `cli`: neither appears here.
"""

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One thing that is wrong. `field` is a path such as `values.points`, `rule` says what is allowed."""

    field: str
    rule: str

    def __str__(self) -> str:
        return f"{self.field}: {self.rule}" if self.field else self.rule


class RankfoldError(Exception):
    """The root: catching it catches whatever Rankfold raises on purpose."""


class InvalidInput(RankfoldError):
    """Carries every problem found, so that a caller can mend them all at once."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems: tuple[Problem, ...] = problems


class InvalidEvent(InvalidInput):
    """An event that cannot be decoded or breaks a rule of its shape or of its game's ruleset."""


class InvalidRuleset(InvalidInput):
    """A ruleset that cannot be parsed, names something it does not define, or contradicts itself."""


class NotFound(RankfoldError):
    """`what` is the kind of thing (game, board, period, player), `name` what was asked for."""

    def __init__(self, what: str, name: str) -> None:
        super().__init__(f"no such {what}: {name}")
        self.what = what
        self.name = name


class Conflict(RankfoldError):
    """The same identity with another content."""


class TooLate(RankfoldError):
    """The position or time asked for is out of the range that can be answered."""


class ConcurrentWriter(RankfoldError):
    """Another writer moved the shard's position; drop every cache and read again from the committed one."""


class LogBroken(RankfoldError):
    """The log was rewound, emptied or holds entries from the future; `advice` says what an operator can do."""

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(f"{reason} {advice}")
        self.reason = reason
        self.advice = advice


class Unavailable(RankfoldError):
    """A service is away; nothing was changed."""


class InColdArchive(Unavailable, LookupError):
    """Events that are needed are not in the database but in the files of the stretches `names`."""

    def __init__(self, names: list[str]) -> None:
        shown = " ".join(names)
        super().__init__(
            f"this needs events of the cold archive ({shown}): set RANKFOLD_COLD_DIR to the folder of its files, or run "
            f"`rankfold archive restore {shown}` first"
        )
        self.names = names
