"""Generations over HTTP: which builds of a game's boards there are, building one, making one live, taking that back, dropping.

What takes longer than a client should wait goes on as a job; the processor's part of a build runs in a thread of its own.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

import asyncpg
import msgspec
from aiohttp import web

from api.bodies import read_body
from api.jobs import Job, Jobs, accepted
from api.params import name_of, parameters, target
from api.problems import NOT_YET, RefusedError, invalid
from api.publish import WAIT_MS_MAX
from api.response import NO_STORE, Ready, json_response
from api.rulesets import Rulesets
from api.views import Views
from projections import generations
from projections.archive import in_a_thread
from projections.generations import Built, Generation
from projections.jobs import running
from schemas.checks import ID_RULE, good_id
from schemas.errors import Conflict

if TYPE_CHECKING:
    from redis.asyncio import Redis

WAIT_S = 5.0
"""So long an answer waits for a swap or a drop before it says where to ask for it."""

Progress = Callable[[int, int], None]
Status = Literal["building", "shadow", "live", "retired", "failed"]


class BuildProgress(msgspec.Struct, frozen=True):
    """How many events of how many are folded and stored."""

    events: int
    total: int


class GenerationLine(msgspec.Struct, frozen=True):
    """A build of a game's boards. `position` is up to where it is folded; `reason` says why one failed."""

    generation: int
    ruleset_version: int
    status: Status
    name: str | None
    position: str
    created_at: datetime
    live: bool
    progress: BuildProgress | None
    reason: str | None


class GenerationPage(msgspec.Struct, frozen=True):
    """The oldest first."""

    game: str
    generations: list[GenerationLine]


class GenerationAction(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is to be done. `generation` is a number, or `name` the name, of the one to swap in or to drop.

    To build: under `ruleset`, a TOML text that is put into the log first, or under the newest version of the rules; with
    `shadow` it follows the log from then on. `name` is its name.
    """

    action: Literal["build", "swap", "swap_back", "drop"]
    generation: int | None = None
    name: str | None = None
    ruleset: str | None = None
    shadow: bool = False


class GenerationDone(msgspec.Struct, frozen=True):
    """What was done, and what the generation is now."""

    game: str
    generation: int
    action: str
    status: str


_decode = msgspec.json.Decoder(GenerationAction).decode


class Generations:
    """The handlers."""

    def __init__(
        self, views: Views, pool: asyncpg.Pool, redis_rankings: "Redis", rulesets: Rulesets, jobs: Jobs
    ) -> None:
        self._views = views
        self._pool = pool
        self._redis = redis_rankings
        self._rulesets = rulesets
        self._jobs = jobs

    async def listed(self, request: web.Request) -> Ready:
        """GET /v1/games/{game}/generations"""
        (_, _, _, segment, _), query = target(request)
        parameters(query)
        info = await self._views.catalog.game(name_of(segment, "game"))
        found = await generations.listed(self._pool, info.name)
        return json_response(GenerationPage(info.name, [_line(one) for one in found]), headers=NO_STORE)

    async def act(self, request: web.Request) -> Ready:
        """POST /v1/games/{game}/generations"""
        (_, _, _, segment, _), query = target(request)
        parameters(query)
        info = await self._views.catalog.game(name_of(segment, "game"))
        wanted = await _action(request)
        if wanted.action == "build":
            return await self._build(info.name, wanted)
        if wanted.action == "swap_back":
            return await self._swap(info.name, await generations.previous(self._pool, info.name), wanted.action)
        which = wanted.name if wanted.generation is None else str(wanted.generation)
        one = await generations.find(self._pool, info.name, which or "")
        if wanted.action == "swap":
            return await self._swap(info.name, one.generation_id, wanted.action)
        return await self._drop(info.name, one)

    async def _build(self, game: str, wanted: GenerationAction) -> Ready:
        if wanted.name is None and (job := await running(self._pool, game, "build")) is not None:
            raise Conflict(f"a build is under way, job {job}: wait for it, or give this one a name")
        version = None
        if wanted.ruleset is not None:
            applied = await self._rulesets.apply(game, wanted.ruleset, WAIT_MS_MAX)
            if applied.visible is False:
                raise RefusedError(NOT_YET, "the ruleset is in the log and not folded yet; ask again")
            version = applied.version
        number = await generations.begin(self._pool, game, version=version, label=wanted.name)

        async def work(progress: Progress) -> Any:
            if wanted.shadow:
                built = await generations.build(self._pool, self._redis, number, progress, to="shadow", run=in_a_thread)
            else:
                built = await generations.build_until(self._pool, number, None, progress, run=in_a_thread)
            return _told(built)

        return accepted(await self._jobs.start(game, "build", work))

    async def _swap(self, game: str, generation: int, action: str) -> Ready:
        generations.may_go_live(await generations.find(self._pool, game, str(generation)))

        async def work(progress: Progress) -> Any:
            return _told(await generations.swap(self._pool, self._redis, game, generation, progress, run=in_a_thread))

        job = await self._soon(game, action, work)
        return accepted(job) if job is not None else _done(game, generation, action, "live")

    async def _drop(self, game: str, one: Generation) -> Ready:
        generations.may_be_dropped(one)

        async def work(_: Progress) -> Any:
            await generations.drop(self._pool, self._redis, game, one.generation_id)
            return {"generation": one.generation_id}

        job = await self._soon(game, "drop", work)
        return accepted(job) if job is not None else _done(game, one.generation_id, "drop", "dropped")

    async def _soon(self, game: str, kind: str, work: Callable[[Progress], Awaitable[Any]]) -> Job | None:
        """Has a job done; returns it when it takes long, and None when it was done within a moment. Raises what it raised."""
        outcome: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def noted(progress: Progress) -> Any:
            try:
                result = await work(progress)
            except Exception as error:
                if not outcome.done():
                    outcome.set_exception(error)
                raise
            if not outcome.done():
                outcome.set_result(None)
            return result

        job = await self._jobs.start(game, kind, noted)
        done, _ = await asyncio.wait((outcome,), timeout=WAIT_S)
        if not done:
            # Nobody waits for it any more; the job tells how it ends.
            outcome.cancel()
            return job
        await outcome
        return None


def _told(built: Built) -> dict[str, Any]:
    """A job's result."""
    return {"generation": built.generation_id, "events": built.events, "position": str(built.position)}


def _done(game: str, generation: int, action: str, status: str) -> Ready:
    return json_response(GenerationDone(game, generation, action, status), headers=NO_STORE)


def _line(one: Generation) -> GenerationLine:
    progress = BuildProgress(one.events, one.total) if one.status == "building" else None
    status: Any = one.status
    return GenerationLine(
        one.generation_id,
        one.ruleset_version,
        status,
        one.name,
        str(one.position),
        one.created_at.astimezone(UTC),
        one.live,
        progress,
        one.reason,
    )


async def _action(request: web.Request) -> GenerationAction:
    try:
        wanted = _decode(await read_body(request))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise invalid("body", f"JSON of an action: {error}") from None
    if wanted.name is not None and not good_id(wanted.name):
        raise invalid("name", ID_RULE)
    if wanted.action == "build" and wanted.generation is not None:
        raise invalid("generation", "a new generation gets its number by itself")
    if wanted.action in ("swap", "drop") and (wanted.generation is None) == (wanted.name is None):
        raise invalid("generation", "either the number of a generation, or its name as name")
    if wanted.action == "swap_back" and (wanted.generation is not None or wanted.name is not None):
        which = "name" if wanted.generation is None else "generation"
        raise invalid(which, "not with swap_back, which takes the generation that was live before")
    if wanted.action != "build" and (wanted.ruleset is not None or wanted.shadow):
        raise invalid("ruleset" if wanted.ruleset is not None else "shadow", "only for what is built")
    return wanted
