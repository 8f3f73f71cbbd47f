"""`rankfold doctor`: looks at everything that Rankfold needs, and says how to mend what is wrong."""

import asyncio
import shutil
import zoneinfo
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.text import Text

from cli import local
from cli.checks import Check, circuit_check, judged, worst
from cli.checks_postgres import postgres_checks
from cli.checks_redis import redis_checks
from cli.client import Api
from cli.failures import CheckFailedError
from cli.services import redis_client
from cli.settings import Settings
from cli.terminal import out, safe, show_json, table
from schemas.errors import RankfoldError

DISK_BYTES_LEAST = 2**30
ZONES = ("Europe/Berlin", "America/Los_Angeles", "Asia/Tokyo")
STYLES = {"ok": "green", "warn": "yellow", "fail": "bold red"}


def doctor_command(
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Check services, versions and settings, and say how to mend them. Exit status 1 when one fails."""
    found = asyncio.run(examine(local.load()))
    state = worst(found)
    if as_json:
        show_json({"state": state, "checks": [check._asdict() for check in found]})
    else:
        _show(found)
    if state == "fail":
        raise CheckFailedError


async def examine(found: Settings) -> list[Check]:
    """Every check, in the order in which one would look."""
    checks = [zone_check(ZONES), disk_check(found.data)]
    checks += await redis_checks(found.redis_log_url, found.redis_rankings_url)
    log_answers = all(check.state != "fail" for check in checks if check.name == "reachable")
    log = redis_client(found.redis_log_url) if found.redis_log_url is not None and log_answers else None
    rankings = redis_client(found.redis_rankings_url) if found.redis_rankings_url is not None and log_answers else None
    try:
        checks += await postgres_checks(found.database_url, log, rankings)
    finally:
        for client in (log, rankings):
            if client is not None:
                await client.aclose()
    told = {(check.subject, check.name) for check in checks}
    # The API tells of consumers, too.
    return [*checks, *(check for check in await _api(found.url) if (check.subject, check.name) not in told)]


def zone_check(names: Sequence[str]) -> Check:
    """Whether periods can be computed: their zones come from the system or from the tzdata package."""
    missing = []
    for name in names:
        try:
            zoneinfo.ZoneInfo(name)
        except (zoneinfo.ZoneInfoNotFoundError, OSError):
            missing.append(name)
    shown = f"missing: {', '.join(missing)}" if missing else "found"
    return judged("Machine", "time zones", shown, not missing, "install the package tzdata")


def disk_check(folder: Path) -> Check:
    """Whether the disk of the data folder has room; the folder need not exist yet."""
    place = folder.absolute()
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    advice = f"make room on the disk of {place}"
    return judged(
        "Machine", "disk", f"{free / 2**30:,.1f} GiB free", free >= DISK_BYTES_LEAST, advice, otherwise="warn"
    )


async def _api(url: str) -> list[Check]:
    try:
        async with Api(url, attempts=1) as api:
            answer = await api.health()
    except RankfoldError as error:
        advice = "start `rankfold serve`, or set RANKFOLD_URL to where it is"
        return [Check("API", "ready", "warn", safe(str(error)), advice)]
    return api_checks(url, answer)


def api_checks(url: str, answer: dict[str, Any]) -> list[Check]:
    """What the API says of itself: how far it is behind, and whom it lets in."""
    lags = [shard["lag_ms"] for shard in answer["shards"] if shard["lag_ms"] is not None]
    ready = Check("API", "ready", "ok", f"{url}, {max(lags, default=0)} ms behind the log")
    access = str(answer.get("access", "open"))
    advice = "set RANKFOLD_AUTH=keys and make keys with `rankfold keys create`, or listen on loopback only"
    found = [ready, judged("API", "access", access, access in ("keys", "open"), advice, otherwise="warn")]
    return found + [
        circuit_check(shard["shard"], shard["circuit"], shard["reason"], shard["advice"])
        for shard in answer["shards"]
        if shard.get("circuit", "closed") != "closed"
    ]


def _show(checks: list[Check]) -> None:
    rows = [[check.subject, check.name, Text(check.state, style=STYLES[check.state]), check.found] for check in checks]
    console = out()
    console.print(table("", ["service", "check", "state", "found"], rows))
    for check in checks:
        if check.advice:
            line = Text(f"{check.state}: ", style=STYLES[check.state])
            console.print(line + Text(f"{check.subject}, {check.name}: {check.advice}"))
