"""What a doctor's check says, and the small judgements that several checks share."""

import re
from collections.abc import Iterable
from typing import Literal, NamedTuple

from cli.terminal import safe

State = Literal["ok", "warn", "fail"]


class Check(NamedTuple):
    """One thing that was looked at: what was found, and how to mend it where that is needed."""

    subject: str
    name: str
    state: State
    found: str
    advice: str = ""


def judged(subject: str, name: str, found: str, good: bool, advice: str, *, otherwise: State = "fail") -> Check:
    """A check that is ok or `otherwise`; the advice is only given where it is needed."""
    return Check(subject, name, "ok" if good else otherwise, found, "" if good else advice)


def circuit_check(shard: int, state: str, reason: str | None, advice: str | None) -> Check:
    """A consumer that does not fold, and why."""
    found, how = f"{state}: {safe(reason or '')}", safe(advice or "") or "wait, and look at the consumer's log"
    return Check("Consumer", f"shard {shard}", "fail" if state == "stopped" else "warn", found, how)


def at_least(version: str, least: tuple[int, ...]) -> bool:
    """Whether a version such as 7.4.1 or 16.2 (Debian) is `least` or newer."""
    return tuple(map(int, re.findall(r"\d+", version)[: len(least)])) >= least


def worst(checks: Iterable[Check]) -> State:
    """The state of the whole."""
    states = {check.state for check in checks}
    return "fail" if "fail" in states else "warn" if "warn" in states else "ok"
