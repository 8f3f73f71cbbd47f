"""The arcade demo: two weeks of made-up runs, then live ones, and the top ten while they come in."""

import asyncio
import shutil
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from rich.columns import Columns
from rich.console import Group, RenderableType
from rich.live import Live
from rich.text import Text

from cli.client import Api
from cli.demo_feed import Ranks, apply, example, lines_of, moving, ranks_of
from cli.publish import BATCH_EVENTS_MAX, until_visible
from cli.settings import Settings
from cli.supervisor import ROOT
from cli.terminal import meter, out, plural
from projections.tasks import end
from schemas.position import Vector

RULES = Path("examples/arcade/arcade.toml")
PAST_RUNS = 20_000
LIVE_BATCH = 40
LIVE_PAUSE_S = 0.08
LOOK_S = 0.25
MOVEMENT_S = 5.0
WAIT_MS = 5_000
TOP = 10
BOTH_COLUMNS = 104
"""A terminal narrower than this shows one board only: two, one above the other, would not fit its height."""


@dataclass
class Flow:
    """What has gone in live: events, seconds from the request until readers see them, and the last position."""

    started: float
    events: int = 0
    seconds: list[float] = field(default_factory=list)
    position: str = ""

    def words(self) -> str:
        """The figures in a line."""
        passed = max(time.monotonic() - self.started, 1e-9)
        ranked = sorted(self.seconds)
        if not ranked:
            return "waiting for the first run"
        middle, late = ranked[len(ranked) // 2], ranked[min(len(ranked) - 1, len(ranked) * 99 // 100)]
        delay = f"visible after {middle * 1000:.0f} ms (p99 {late * 1000:.0f} ms)"
        return f"{plural(self.events, 'run')} live · {self.events / passed:,.0f}/s · {delay} · at {self.position}"


async def play(found: Settings, seconds: float) -> None:
    """Plays for so many seconds."""
    text = (ROOT / RULES).read_text()
    until = datetime.now(UTC).isoformat(timespec="milliseconds")
    arguments = ("--runs", str(PAST_RUNS), "--until", until, "--live")
    async with Api(found.url, found.key) as api, example("examples.arcade", *arguments) as feed:
        game = await apply(api, text)
        await _past(api, game, feed)
        zone = ZoneInfo((await api.get("games", game))["time_zone"])
        await _live(api, game, feed, zone, seconds)
    console = out()
    # As it was called: the folder of the command need not be on the PATH.
    command = "rankfold" if shutil.which("rankfold") else sys.argv[0].removeprefix(f"{Path.cwd()}/")
    console.print(Text(f"\nAgain with `{command} demo`; `{command} up` starts the same servers to stay.", style="dim"))


async def _past(api: Api, game: str, feed: asyncio.subprocess.Process) -> None:
    started = time.monotonic()
    position = None
    with meter("two weeks of runs") as progress:
        for done in range(0, PAST_RUNS, BATCH_EVENTS_MAX):
            lines = await lines_of(feed, BATCH_EVENTS_MAX)
            position = Vector.parse((await api.publish(game, b"".join(lines)))["position"])
            progress(done + BATCH_EVENTS_MAX, PAST_RUNS)
        if position is not None:
            await until_visible(api, {game: position})
    took = time.monotonic() - started
    rate = f"{PAST_RUNS / took:,.0f}/s"
    out().print(Text(f"{plural(PAST_RUNS, 'run')} of the last two weeks published and ranked in {took:.1f} s ({rate})"))


async def _live(api: Api, game: str, feed: asyncio.subprocess.Process, zone: ZoneInfo, seconds: float) -> None:
    flow = Flow(time.monotonic())
    watch = Watch(api, game, zone)
    await watch.look()
    publishing = asyncio.create_task(_publish(api, game, feed, flow))
    try:
        with _screen() as screen:
            while time.monotonic() - flow.started < seconds and not publishing.done():
                await asyncio.sleep(LOOK_S)
                await watch.look()
                screen.update(watch.shown(flow), refresh=True)
    finally:
        await end([publishing])
    if not publishing.cancelled():
        publishing.result()
    await watch.look()
    out().print(watch.shown(flow))


@contextmanager
def _screen() -> Iterator[Live]:
    """What changes in place on a terminal, and is silent elsewhere."""
    console = out()
    with Live(console=console, auto_refresh=False, transient=True, redirect_stderr=False) as live:
        if not console.is_terminal:
            live.console.quiet = True
        yield live
        live.console.quiet = False


async def _publish(api: Api, game: str, feed: asyncio.subprocess.Process, flow: Flow) -> None:
    while True:
        lines = await lines_of(feed, LIVE_BATCH)
        started = time.monotonic()
        answer = await api.publish(game, b"".join(lines), WAIT_MS)
        flow.seconds.append(time.monotonic() - started)
        flow.events += len(lines)
        flow.position = answer["position"]
        await asyncio.sleep(LIVE_PAUSE_S)


class Watch:
    """Looks at two boards again and again, and remembers how they were a few seconds ago."""

    def __init__(self, api: Api, game: str, zone: ZoneInfo) -> None:
        self._api = api
        self._game = game
        self._zone = zone
        self._looks: deque[tuple[float, list[Ranks]]] = deque()
        self._pages: list[dict[str, object]] = []

    async def look(self) -> None:
        """Reads both boards."""
        today = f"daily:{datetime.now(self._zone).date().isoformat()}"
        boards = (("total", today), ("high-scores", "all"))
        path = ("games", self._game, "boards")
        self._pages = [await self._api.get(*path, board, period=period, limit=TOP) for board, period in boards]
        now = time.monotonic()
        self._looks.append((now, [ranks_of(page) for page in self._pages]))
        while now - self._looks[0][0] > MOVEMENT_S:
            self._looks.popleft()

    def shown(self, flow: Flow) -> RenderableType:
        """Both boards side by side, with how the ranks moved in the last seconds."""
        before = self._looks[0][1]
        titles = ("Total points, today", "High scores, all time")
        tables = [moving(*each) for each in zip(self._pages, before, titles, strict=True)]
        if out().width < BOTH_COLUMNS:
            del tables[1:]
        return Group(Text(f"\n{flow.words()}\n", style="bold"), Columns(tables, padding=(0, 4)))
