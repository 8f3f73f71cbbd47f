"""Builds the HTTP application out of connections. It holds no state that another process could not rebuild."""

import gc
import warnings
from collections.abc import AsyncIterator, Callable, Iterable
from typing import TYPE_CHECKING

import asyncpg
from aiohttp import web

from api.access import Access, Keys, Security
from api.connections import Runner
from api.cors import Cors
from api.dead_letters import DeadLetters
from api.docs import Docs
from api.effective import Effective
from api.explain import Explaining
from api.export import Exports
from api.freshness import Applied
from api.generations import Generations
from api.health import Health
from api.jobs import Jobs
from api.limits import Limiter
from api.listeners import Listening
from api.listing import Listing
from api.live import Hub, Pace
from api.metrics import Handler, Stats
from api.names import NameBooks
from api.pages import Pages
from api.players import Players
from api.preview import Previewing
from api.problems import METHOD_NOT_ALLOWED, NOT_FOUND, RefusedError
from api.publish import BODY_BYTES_MAX, Publishing
from api.reads import Reads
from api.rejections import Rejections
from api.response import Ready
from api.routing import ShapeDispatcher
from api.rulesets import Rulesets
from api.site import STATIC, Site
from api.statistics import Statistics
from api.views import Views, wall_clock_ms
from projections.append import Appender
from projections.catalog import Catalog
from projections.effective import EVENTS_MAX, Truths
from projections.fallback import PostgresRankings
from projections.rankings import RedisRankings
from projections.snapshots import Snapshots
from projections.versions import Versions

if TYPE_CHECKING:
    from redis.asyncio import Redis

GAME = "/v1/games/{game}"
BOARD = GAME + "/boards/{board}"
PLAYER = BOARD + "/players/{player}"
PLAIN = (BOARD, PLAYER, BOARD + "/ranks", GAME + "/events")
"""What is asked most: without aiohttp where the request allows it."""

SHUTDOWN_S = 10.0
LINE_BYTES_MAX = 32 * 1024
"""Of a request line: a cursor of a board with a long countback takes more than aiohttp's 8 KiB."""

Routes = list[tuple[str, str, Handler]]


def make_app(
    pool: asyncpg.Pool,
    redis_log: "Redis",
    redis_rankings: "Redis",
    *,
    shards: int = 1,
    clock_ms: Callable[[], int] = wall_clock_ms,
    pace: Pace | None = None,
    security: Security | None = None,
    cors_origins: tuple[str, ...] = (),
    fold_events_max: int = EVENTS_MAX,
) -> web.Application:
    """The application; whoever gives the connections closes them. `clock_ms` chooses the period shown by default."""
    pace = pace or Pace()
    security = security or Security()
    catalog = Catalog(pool)
    rankings = RedisRankings(redis_rankings)
    applied = Applied(rankings, pool)
    snapshots = Snapshots(pool, redis_rankings)
    views = Views(catalog, applied, rankings, PostgresRankings(pool), snapshots, clock_ms)
    names = NameBooks(pool)

    def strictly(handler: Handler) -> Handler:
        """For answers out of PostgreSQL, which may be ahead of the freezes that are known: then they are given anew."""

        async def handle(request: web.Request) -> Ready:
            while True:
                known = catalog.freezes_token
                answer = await handler(request)
                # What was learned while it was made may have come too late for it.
                if not await catalog.froze() and catalog.freezes_token == known:
                    return answer

        return handle

    jobs = Jobs(pool)
    effective = Effective(views, Truths(pool, fold_events_max), jobs)
    reads = Reads(views, names, Pages(views, names), pool, effective)
    players = Players(views, pool)
    publishing = Publishing(catalog, Appender(redis_log, pool), applied, shards)
    listing = Listing(catalog, views)
    rulesets = Rulesets(views, pool, publishing)
    letters = DeadLetters(views, pool, redis_log, applied)
    health = Health(pool, redis_log, rankings, catalog, security.access)
    generations = Generations(views, pool, redis_rankings, rulesets, jobs)
    hub = Hub(views, names, Versions(redis_rankings, pool), pace)
    live = Listening(hub, pace.heartbeat_s)
    stats = Stats(rankings, pool, hub, applied.positions, health.circuits)
    routes: Routes = [
        ("GET", PLAYER, effective.deferred_if_asked(reads.place)),
        ("GET", BOARD, effective.deferred_if_asked(reads.board)),
        ("POST", BOARD + "/ranks", effective.deferred_if_asked(reads.friends)),
        ("GET", PLAYER + "/history", strictly(reads.history)),
        ("GET", PLAYER + "/explain", strictly(effective.deferred(Explaining(views, pool, effective).explain))),
        ("GET", BOARD + "/segments", listing.segments),
        ("GET", BOARD + "/export", Exports(views, names, pool, clock_ms, effective).export),
        ("GET", BOARD + "/live", live.board),
        ("GET", PLAYER + "/live", live.player),
        ("GET", BOARD + "/ws", live.socket),
        ("POST", GAME + "/events", publishing.publish),
        ("GET", GAME + "/rejections", strictly(Rejections(views, pool).listed)),
        ("GET", GAME + "/dead-letters", letters.listed),
        ("POST", GAME + "/dead-letters/{id}/retry", letters.retry),
        ("GET", GAME + "/ruleset", rulesets.text),
        ("PUT", GAME + "/ruleset", rulesets.put),
        ("GET", GAME + "/ruleset/versions", rulesets.versions),
        ("GET", GAME + "/generations", generations.listed),
        ("POST", GAME + "/generations", generations.act),
        ("GET", GAME + "/players/{player}", strictly(players.player)),
        (
            "GET",
            GAME + "/players/{player}/stats",
            strictly(effective.deferred(Statistics(views, pool, effective).season)),
        ),
        ("GET", "/v1/games", listing.games),
        ("GET", GAME, listing.game),
        ("POST", GAME + "/preview", Previewing(catalog, pool, jobs, clock_ms).preview),
        ("GET", "/v1/jobs/{job}", jobs.job),
        ("GET", "/health/live", health.live),
        ("GET", "/health/ready", health.ready),
        ("GET", "/health/pool", health.pool),
        ("GET", "/metrics", stats.metrics),
    ]
    site = Site(template for _, template, _ in routes)
    docs = Docs()
    routes += [("GET", "/", site.index), ("GET", STATIC, site.static)]
    routes += [("GET", "/openapi.json", docs.openapi), ("GET", "/docs", docs.docs)]

    async def running(_: web.Application) -> AsyncIterator[None]:
        await catalog.start()
        hub.start()
        yield
        await jobs.stop()
        await hub.stop()
        await snapshots.stop()
        await catalog.stop()

    async def closing(_: web.Application) -> None:
        # Before aiohttp waits for those who are being answered: listeners would never be done.
        hub.close()

    limiter = None
    if security.limits is not None:
        limiter = Limiter(redis_rankings, security.limits, lambda: clock_ms() / 1000)
    access = Access(security, catalog, Keys(pool), limiter)
    cors = Cors(cors_origins, keys=security.keys)
    app = _application(
        [
            (method, path, cors.shelter(method, path, access.guard(method, path, handler)))
            for method, path, handler in routes
        ],
        stats,
        cors,
    )
    app.on_shutdown.append(closing)
    app.cleanup_ctx.append(running)
    return app


def _application(routes: Routes, stats: Stats, cors: Cors) -> web.Application:
    dispatcher = ShapeDispatcher()
    with warnings.catch_warnings():
        # There is no other way to give an application its dispatcher.
        warnings.filterwarnings("ignore", "router argument is deprecated", DeprecationWarning)
        app = web.Application(router=dispatcher, client_max_size=BODY_BYTES_MAX)
    methods: dict[str, dict[str, Handler]] = {}
    for method, template, handler in routes:
        methods.setdefault(template, {})[method] = handler
    for template, handlers in methods.items():
        # Without this, aiohttp's pattern for a segment knows no braces.
        resource = dispatcher.add_resource(template.replace("{player}", "{player:[^/]+}"))
        for method, handler in handlers.items():
            guarded = cors.wrap(stats.guard(method, template, handler))
            for name in ("GET", "HEAD") if method == "GET" else (method,):
                resource.add_route(name, guarded)
                dispatcher.add_fast(name, template, guarded, plain=template in PLAIN)
        resource.add_route("*", cors.wrap(stats.guard("*", template, _not_allowed(handlers))))
    dispatcher.add_route("*", r"/{path:[\s\S]*}", cors.wrap(stats.guard("*", "", _not_found)))
    return app


def _not_allowed(methods: Iterable[str]) -> Handler:
    allowed = ", ".join("GET, HEAD" if method == "GET" else method for method in methods)

    async def refuse(_: web.Request) -> Ready:
        headers = b"Allow: " + allowed.encode() + b"\r\n"
        raise RefusedError(METHOD_NOT_ALLOWED, f"allowed: {allowed}", headers=headers)

    return refuse


async def _not_found(_: web.Request) -> Ready:
    raise RefusedError(NOT_FOUND, "nothing lives at this path")


async def start(app: web.Application, host: str, port: int) -> web.AppRunner:
    """Serves the application until the runner's `cleanup`. Without aiohttp's access log: it costs more than a rank."""
    # What is alive now stays so, and a request leaves few cycles: to look for them less often is worth a few per cent.
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)
    runner = Runner(app, access_log=None, shutdown_timeout=SHUTDOWN_S, max_line_size=LINE_BYTES_MAX)
    await runner.setup()
    await web.TCPSite(runner, host, port, backlog=1024).start()
    return runner
