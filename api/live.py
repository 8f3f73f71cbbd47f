"""Watches rankings for listeners: one poller a process, whatever the number of listeners.

Each turn asks for the versions of all watched rankings in one call, reads those that moved on, and hands each feed's
change to its listeners. A turn comes at most every `Pace.turn_s`, so any number of writes within it is one event. Listeners
that follow the same lines share a feed: it is read, compared and encoded once. Nothing here waits for a listener; see
`api.listeners`.
"""

import asyncio
import logging
from collections.abc import Iterable
from time import monotonic
from typing import NamedTuple, Protocol

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from redis.exceptions import RedisError

from api.changes import Event, State, Watch, change, players_in, state_of, whole
from api.freshness import AWAY_S, Shown, SingleFlight
from api.names import NameBooks, named_at
from api.problems import RefusedError
from api.view import View, Wanted, shown_in, together
from api.views import Views
from projections.database import AWAY
from projections.tasks import end
from projections.versions import Versions
from schemas.errors import Unavailable

REST = 2.0
"""After a turn it rests at least so many times as long as the turn took: a busy process must still answer."""

LISTENERS_MAX = 20_000
PRIVATE_S = 600.0
"""On a private board a connection ends after so long: who comes back has to show that he still may see it."""

SLICE = 250
"""So many listeners are written to, or feeds read, before others have their turn in the event loop."""

log = logging.getLogger("rankfold.api")


class Pace(NamedTuple):
    """How often rankings are looked at, and within which time every connection is written to."""

    turn_s: float = 0.25
    heartbeat_s: float = 15.0


class Copy(NamedTuple):
    """What a listener asked for, in which game, and whether he sees on while it is frozen."""

    game: str
    wanted: Wanted
    official: bool = False


class Listener(Protocol):
    """One connection. No method waits."""

    def send(self, event: Event) -> bool:
        """Hands over an event; False when the listener was dropped, because it does not read."""

    def beat(self) -> bool:
        """Says that the connection is alive, or finds out that it is not; False as above."""

    def end(self) -> None:
        """Ends the connection in an orderly way."""


class Feed:
    """What one or more listeners follow. `seen`: the copy of the board, its version and the profiles', that it was read at; of
    a spread game those of all parts."""

    __slots__ = ("copy", "event_id", "listeners", "seen", "state", "watch", "whole")

    def __init__(self, copy: Copy, watch: Watch, state: State) -> None:
        self.copy = copy
        self.watch = watch
        self.listeners: set[Listener] = set()
        self.event_id = state.id
        self.take(state)

    def take(self, state: State) -> None:
        """Goes on to another state; whoever comes from now on gets this one."""
        self.state = state
        self.seen = (*_copy(state.view), *state.seen)
        self.whole: Event | None = None

    @property
    def private(self) -> bool:
        """Whether not everybody may see what this follows."""
        return self.state.view.plan.board.access != "public"

    def full(self) -> Event:
        """The present state as an event."""
        if self.whole is None:
            self.whole = whole(self.state)
            # What was read anew without any difference is still what listeners hold already.
            self.whole.id = self.event_id
        return self.whole


class Hub:
    """The watched feeds and their listeners."""

    def __init__(self, views: Views, names: NameBooks, versions: Versions, pace: Pace) -> None:
        self._views = views
        self._names = names
        self._versions = versions
        self._pace = pace
        self._feeds: dict[tuple[Copy, Watch], Feed] = {}
        self._listeners: dict[Listener, tuple[Feed, float]] = {}
        self._flights = SingleFlight()
        self._awake = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._beaten = 0.0
        self._owed = 0.0
        self._closing = False
        self.dropped = 0
        self.sent = 0

    async def feed(self, copy: Copy, watch: Watch) -> Feed:
        """The feed of what is asked for; raises as a read of it would, and Unavailable when this process takes no more."""
        if self._closing or len(self._listeners) >= LISTENERS_MAX:
            raise Unavailable("this process takes no more listeners")
        feed = self._feeds.get((copy, watch))
        return feed if feed is not None else await self._flights.do((copy, watch), lambda: self._open(copy, watch))

    async def _open(self, copy: Copy, watch: Watch) -> Feed:
        view, shown = await self._views.see(copy.game, copy.wanted, None, official=copy.official)
        return Feed(copy, watch, await self._read(view, watch, shown))

    def listen(self, feed: Feed, listener: Listener, last_id: str | None) -> None:
        """From now on the listener gets what changes; before that the present state, unless it knows that already."""
        held = self._feeds.setdefault((feed.copy, feed.watch), feed)
        if last_id != held.event_id:
            listener.send(held.full())
        held.listeners.add(listener)
        self._listeners[listener] = held, monotonic()
        self._awake.set()
        if self._closing:
            listener.end()

    def leave(self, listener: Listener) -> None:
        """The listener's connection has ended."""
        feed, _ = self._listeners.pop(listener, (None, 0.0))
        if feed is not None:
            feed.listeners.discard(listener)

    def start(self) -> None:
        """Begins to watch."""
        self._task = asyncio.create_task(self._run())

    async def stop(self) -> None:
        """Ends the watching."""
        if self._task is not None:
            await end([self._task])

    def close(self) -> None:
        """Ends every listener's connection; they come back by themselves, to another process or to the next one."""
        self._closing = True
        for listener in list(self._listeners):
            listener.end()

    def collect(self) -> Iterable[Metric]:
        """What Prometheus is told."""
        yield GaugeMetricFamily("rankfold_listeners", "Live connections", value=len(self._listeners))
        yield GaugeMetricFamily("rankfold_feeds", "What they follow, each counted once", value=len(self._feeds))
        yield CounterMetricFamily("rankfold_live_events", "Events handed to listeners", value=self.sent)
        yield CounterMetricFamily("rankfold_listeners_dropped", "Listeners that did not read", value=self.dropped)

    async def _run(self) -> None:
        while True:
            if not self._listeners:
                self._feeds.clear()
                self._awake.clear()
                await self._awake.wait()
                self._beaten = monotonic()
            began, rest_s = monotonic(), self._pace.turn_s
            try:
                await self._turn()
            except Exception as error:
                # One board's trouble must not silence all the others for good.
                _tell(error)
                rest_s = AWAY_S
            self._beat()
            await asyncio.sleep(max(rest_s, REST * (monotonic() - began)))

    async def _turn(self) -> None:
        found = self._views_of(self._watched())
        parts = [part for view in found.values() for part in view.parts or (view,)]
        shown = {shard: await self._views.shown(shard) for shard in {part.info.shard for part in parts}}
        ids = {part.ranking_id for part in parts if part.ranking_id is not None}
        versions = await self._ask(sorted(ids), in_redis=all(item.in_redis for item in shown.values()))
        fresh = {part.ranking_id for part in parts if part.ranking_id is not None and part.fresh}
        versions |= await self._versions.committed(sorted(fresh)) if fresh else {}
        stale: list[tuple[Feed, View, Shown]] = []
        for feed, view in found.items():
            each = [shown[part.info.shard] for part in view.parts or (view,)]
            known = together(each) if view.parts else each[0]
            numbers = (_version(part, versions) for part in view.parts or (view,))
            if feed.seen != (*_copy(view), *numbers, *known.profiled):
                stale.append((feed, view, known))
        failed: list[BaseException] = []
        for at in range(0, len(stale), SLICE):
            renewed = (self._renew(*item) for item in stale[at : at + SLICE])
            results = await asyncio.gather(*renewed, return_exceptions=True)
            failed += [result for result in results if isinstance(result, BaseException)]
        if failed:
            # Who could not be read is still stale in the next turn, and has held up nobody in this one.
            raise failed[0]

    def _watched(self) -> list[Feed]:
        """The feeds that somebody listens to; the others are forgotten."""
        for key in [key for key, feed in self._feeds.items() if not feed.listeners]:
            del self._feeds[key]
        return list(self._feeds.values())

    def _views_of(self, feeds: list[Feed]) -> dict[Feed, View]:
        """What each feed follows by now. Who follows what is no longer there, or not public any more, has to ask anew."""
        copies: dict[Copy, View | None] = {}
        found: dict[Feed, View] = {}
        for feed in feeds:
            if feed.copy not in copies:
                copies[feed.copy] = self._view_of(feed.copy)
            view = copies[feed.copy]
            if view is not None and (view.plan.board.access == "public" or feed.private):
                found[feed] = view
                continue
            for listener in list(feed.listeners):
                listener.end()
        return found

    def _view_of(self, copy: Copy) -> View | None:
        try:
            return self._views.known(copy.game, copy.wanted, official=copy.official)
        except RefusedError:
            # There is no present period, under other rules than those that it was asked for.
            return None

    async def _ask(self, ranking_ids: list[int], *, in_redis: bool) -> dict[int, int]:
        if in_redis:
            try:
                return await self._versions.shown(ranking_ids)
            except RedisError as error:
                self._views.applied.redis_is_away(error)
        return await self._versions.committed(ranking_ids)

    async def _renew(self, feed: Feed, view: View, shown: Shown) -> None:
        before, after = feed.state, await self._read(view, feed.watch, shown)
        event = change(before, after)
        if event is not None:
            feed.event_id = event.id
        feed.take(after)
        if event is None:
            return
        for at, listener in enumerate(list(feed.listeners), 1):
            self.sent += 1
            self.dropped += not listener.send(event)
            if at % SLICE == 0:
                await asyncio.sleep(0)

    async def _read(self, view: View, watch: Watch, shown: Shown) -> State:
        answer = await self._views.ask(view, shown, watch.lookups())
        text = shown_in(view, shown).text
        names = await self._names.of(view.named, shown, players_in(answer))
        return state_of(view, watch, text, named_at(names, shown), answer, names)

    def _beat(self) -> None:
        """Beats for as many listeners as the time since the last call is worth, those first who had it longest ago."""
        now = monotonic()
        self._owed += len(self._listeners) * (now - self._beaten) / self._pace.heartbeat_s
        self._beaten = now
        count = min(int(self._owed), len(self._listeners))
        # What is less than a beat is owed; more than one to each is not.
        self._owed = min(self._owed - count, 1.0)
        for listener in list(self._listeners)[:count]:
            feed, since = self._listeners[listener] = self._listeners.pop(listener)
            self.dropped += not listener.beat()
            if feed.private and now - since > PRIVATE_S:
                listener.end()


def _copy(view: View) -> tuple[int, ...]:
    return (*view.copy, *(part.ranking_id or 0 for part in view.parts), *view.still)


def _version(view: View, versions: dict[int, int]) -> int:
    """The version that a read of it would find."""
    if view.ranking_id is None:
        return 0
    return versions.get(view.ranking_id, 0) if view.version is None else view.version


def _tell(error: BaseException) -> None:
    if isinstance(error, (RedisError, Unavailable, *AWAY)):
        log.warning("live changes have to wait: %s", error)
    else:
        log.error("a turn of the live feeds failed", exc_info=error)
