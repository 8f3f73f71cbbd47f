"""Every route as it is described to clients: what it takes, what it answers, what can go wrong. A table, and no code.

`api.openapi` makes the OpenAPI document out of it; a test holds it to the routes that the application has.
"""

from typing import Any, NamedTuple

import msgspec

from api import problems
from api.dead_letters import DeadLetterPage, Retried
from api.encode import FriendPlaces, History, Page, PlayerPlace
from api.explanation import Explanation
from api.generations import GenerationDone, GenerationPage
from api.health import PoolState, Readiness
from api.jobs import Job
from api.listing import GameDetails, GamePage, SegmentPage
from api.players import PlayerPage
from api.problems import Kind
from api.publish import Published
from api.rejections import RejectionsPage
from api.rulesets import RulesetPage, RulesetPut, RulesetText
from api.statistics import StatisticsPage
from projections.preview import Preview

GAME = "/v1/games/{game}"
BOARD = GAME + "/boards/{board}"
PLACE = BOARD + "/players/{player}"
JSON = "application/json"
HTML = "text/html"
EVENTS = "text/event-stream"


class Players(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """1 to 1,000 player ids."""

    players: list[str]


class Live(msgspec.Struct, frozen=True):
    """The process answers."""

    status: str


class Operation(NamedTuple):
    """A route. `answer` is the struct of its JSON, None for other media, of which `media` may name several; `kinds` are its
    problems beyond the usual ones. `job` says that 202 with a job may come instead.
    """

    method: str
    path: str
    name: str
    tag: str
    summary: str
    answer: Any = None
    query: tuple[str, ...] = ()
    kinds: tuple[Kind, ...] = ()
    status: int = 200
    media: str = JSON
    body: str | None = None
    job: bool = False
    """Whether it may answer 202 with a job instead."""

    @property
    def tagged(self) -> bool:
        """Whether its answers have entity tags."""
        endless = self.media == EVENTS or self.status == 101
        return self.method == "GET" and not endless and not self.path.startswith(("/health", "/metrics"))

    @property
    def guarded(self) -> bool:
        """Whether a key may be needed, and requests may be limited."""
        return self.path.startswith("/v1/")


READ = (problems.INVALID_REQUEST, problems.NOT_FOUND, problems.NOT_YET)
PERIODIC = ("period", "segment")
SEEN = "min_position"
VIEW = "view"
KNOWN = "known_at"
BESIDE = "generation"
TRUE = "effective_at"
PAST = (*READ, problems.GONE)

OPERATIONS: tuple[Operation, ...] = (
    Operation("GET", "/v1/games", "list_games", "games", "The games, by name", GamePage, ("limit", "after"), READ[:1]),
    Operation(
        "GET", GAME, "game", "games", "A game, its boards and their periods", GameDetails, (VIEW, BESIDE), READ[:2]
    ),
    Operation(
        "GET",
        BOARD,
        "board",
        "boards",
        "A page of a board",
        Page,
        (*PERIODIC, "limit", "after", "before", "q", KNOWN, TRUE, VIEW, BESIDE, SEEN),
        PAST,
        job=True,
    ),
    Operation(
        "GET",
        PLACE,
        "place",
        "boards",
        "A player's place on a board, and who is around it",
        PlayerPlace,
        (*PERIODIC, "around", KNOWN, TRUE, VIEW, BESIDE, SEEN),
        PAST,
        job=True,
    ),
    Operation(
        "POST",
        BOARD + "/ranks",
        "ranks",
        "boards",
        "The places of many players, ranked globally and among themselves",
        FriendPlaces,
        (*PERIODIC, KNOWN, TRUE, VIEW, BESIDE, SEEN),
        (*PAST, problems.TOO_LARGE),
        body="Players",
        job=True,
    ),
    Operation(
        "GET",
        PLACE + "/history",
        "history",
        "boards",
        "What a board has shown of a player, newest first",
        History,
        (*PERIODIC, "limit", "by", KNOWN, VIEW, SEEN),
        PAST,
    ),
    Operation(
        "GET",
        PLACE + "/explain",
        "explain",
        "boards",
        "Why a player's metrics are what they are: the marks behind them, which sum up to them",
        Explanation,
        (*PERIODIC, "limit", "after", KNOWN, TRUE, VIEW, SEEN),
        PAST,
        job=True,
    ),
    Operation(
        "GET",
        BOARD + "/segments",
        "segments",
        "boards",
        "The segments that a board has",
        SegmentPage,
        ("period", "limit", "after", VIEW, BESIDE),
        READ[:2],
    ),
    Operation(
        "GET",
        BOARD + "/export",
        "export",
        "boards",
        "A whole board as a file: CSV, or JSON lines of `ExportLine`",
        None,
        ("format", *PERIODIC, KNOWN, TRUE, VIEW, BESIDE, SEEN),
        PAST,
        media="text/csv, application/jsonl",
    ),
    Operation(
        "GET",
        BOARD + "/live",
        "live_board",
        "live",
        "Changes of a board's first entries, or of some players, as server-sent events whose data is `Ranks`",
        query=(*PERIODIC, "top", "player*", "last_event_id", VIEW),
        kinds=READ[:2],
        media=EVENTS,
    ),
    Operation(
        "GET",
        PLACE + "/live",
        "live_player",
        "live",
        "Changes of a player's place as server-sent events whose data is `Ranks`",
        query=(*PERIODIC, "last_event_id", VIEW),
        kinds=READ[:2],
        media=EVENTS,
    ),
    Operation(
        "GET",
        BOARD + "/ws",
        "live_socket",
        "live",
        "The same as of /live over WebSocket",
        query=(*PERIODIC, "top", "player*", "last_event_id", VIEW),
        kinds=(*READ[:2], problems.UPGRADE_REQUIRED),
        status=101,
    ),
    Operation(
        "GET",
        GAME + "/players/{player}",
        "player",
        "players",
        "A player: profile, standing, and his place on every board",
        PlayerPage,
        ("board", "limit", "after", VIEW, SEEN),
        READ,
    ),
    Operation(
        "GET",
        GAME + "/players/{player}/stats",
        "statistics",
        "players",
        "A player's season: totals, verdicts, best and worst round, streaks, badges, every round",
        StatisticsPage,
        ("board", *PERIODIC, "limit", "after", KNOWN, TRUE, VIEW, SEEN),
        PAST,
        job=True,
    ),
    Operation(
        "POST",
        GAME + "/events",
        "publish",
        "events",
        "Publish 1 to 1,000 events: all of them or none",
        Published,
        ("wait",),
        (
            problems.INVALID_EVENT,
            problems.INVALID_REQUEST,
            problems.INVALID_RULESET,
            problems.NOT_FOUND,
            problems.CONFLICT,
            problems.TOO_LARGE,
            problems.UNSUPPORTED_MEDIA_TYPE,
            problems.LOG_BROKEN,
        ),
        status=202,
        body="events",
    ),
    Operation(
        "GET",
        GAME + "/rejections",
        "rejections",
        "events",
        "Events that are in the log and do not count, newest first",
        RejectionsPage,
        ("player", "limit", "after", VIEW, SEEN),
        READ,
    ),
    Operation(
        "GET",
        GAME + "/dead-letters",
        "dead_letters",
        "events",
        "Entries of the log that could not be folded, oldest first",
        DeadLetterPage,
        ("status", "limit", "after"),
        READ[:2],
    ),
    Operation(
        "POST",
        GAME + "/dead-letters/{id}/retry",
        "retry_dead_letter",
        "events",
        "Append a dead letter to the log again, once its reason is gone",
        Retried,
        ("wait",),
        (*READ[:2], problems.LOG_BROKEN),
        status=202,
    ),
    Operation(
        "GET",
        GAME + "/ruleset",
        "ruleset",
        "games",
        "The rules that a game's boards go by, or another version of them",
        RulesetText,
        ("version",),
        READ[:2],
    ),
    Operation(
        "PUT",
        GAME + "/ruleset",
        "put_ruleset",
        "games",
        "Make a ruleset the next version of a game's rules; the first one makes the game",
        RulesetPut,
        ("wait",),
        (
            problems.INVALID_REQUEST,
            problems.INVALID_RULESET,
            problems.NOT_FOUND,
            problems.CONFLICT,
            problems.TOO_LARGE,
            problems.UNSUPPORTED_MEDIA_TYPE,
            problems.LOG_BROKEN,
        ),
        status=202,
        body="ruleset",
    ),
    Operation(
        "GET",
        GAME + "/ruleset/versions",
        "ruleset_versions",
        "games",
        "The versions of a game's rules, newest first",
        RulesetPage,
        ("limit", "after"),
        READ[:2],
    ),
    Operation(
        "POST",
        GAME + "/preview",
        "preview",
        "events",
        "Who would move if these events came, or these rules held; nothing is written",
        Preview,
        (),
        (
            problems.INVALID_EVENT,
            problems.INVALID_REQUEST,
            problems.INVALID_RULESET,
            problems.NOT_FOUND,
            problems.TOO_LARGE,
        ),
        body="Question",
        job=True,
    ),
    Operation(
        "GET",
        GAME + "/generations",
        "generations",
        "generations",
        "Every build of a game's boards: the live one, shadows, what is being built, what was live before",
        GenerationPage,
        (),
        READ[:2],
    ),
    Operation(
        "POST",
        GAME + "/generations",
        "change_generations",
        "generations",
        "Build a generation, make one live, take that back, or drop one; 202 with a `Job` for what takes long",
        GenerationDone,
        (),
        (
            *READ,
            problems.INVALID_RULESET,
            problems.CONFLICT,
            problems.TOO_LARGE,
            problems.LOG_BROKEN,
        ),
        body="GenerationAction",
        job=True,
    ),
    Operation(
        "GET", "/v1/jobs/{job}", "job", "jobs", "How a job is going that was accepted with 202", Job, (), READ[:2]
    ),
    Operation("GET", "/health/live", "live", "service", "The process turns", Live),
    Operation("GET", "/health/ready", "ready", "service", "Its databases answer; 503 when not", Readiness),
    Operation("GET", "/health/pool", "pool", "service", "The connections to PostgreSQL", PoolState),
    Operation("GET", "/metrics", "metrics", "service", "Prometheus metrics", media="text/plain"),
    Operation("GET", "/openapi.json", "openapi", "service", "This document", dict[str, Any]),
    Operation("GET", "/docs", "docs", "service", "This document, to read", media=HTML),
    Operation("GET", "/", "page", "service", "The standings page", media=HTML),
    Operation(
        "GET",
        "/static/{build}/{file}",
        "static",
        "service",
        "What the standings page is made of",
        kinds=(problems.NOT_FOUND,),
        media="*/*",
    ),
)
