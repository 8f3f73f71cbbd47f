"""Which entries of a log count: what is refused, what is a duplicate, what is void, and whom an id stands for.

Part of the auditor, which may not import `engine`.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any, NamedTuple
from zlib import crc32

from schemas.choices import choice_rule, number_of
from schemas.codec import decode, epoch_ms
from schemas.errors import InvalidEvent, InvalidRuleset
from schemas.events import (
    Adjustment,
    AnyEvent,
    Close,
    Fixture,
    Freeze,
    Pick,
    Player,
    Reinstate,
    Result,
    RulesetChange,
    Score,
    Tick,
    Void,
)
from schemas.language import PicksSource, Ruleset, TableSource
from schemas.ruleset import parse

CORRECTABLE = (Score, Adjustment, Pick, Result)
"""What can be voided; of anything else another event says what holds."""


class RawEntry(NamedTuple):
    """An entry of a stream, in the epoch of the log in which it came."""

    ms: int
    seq: int
    body: bytes
    epoch: int = 1
    shard: int = 0


Place = tuple[int, int, int]
"""(shard, milliseconds, number) of an entry: streams go on from epoch to epoch."""


@dataclass(frozen=True)
class Said:
    """An event that counts in some way, and its entry."""

    entry: tuple[int, int]
    event: AnyEvent


@dataclass
class Account:
    """What one game's part of a log comes to."""

    rules: Ruleset
    """Those by which the boards are made that are looked at."""
    texts: dict[int, str] = field(default_factory=dict)
    """Every version of the rules."""
    said: list[Said] = field(default_factory=list)
    """Accepted events, in order."""
    homes: dict[tuple[int, int], tuple[int, int]] = field(default_factory=dict)
    """(epoch, shard) of every accepted entry."""

    def stands_in(self, player: str, erased_at: tuple[int, int]) -> str:
        """The id of who was erased there."""
        epoch, shard = self.homes[erased_at]
        return f"erased-{epoch}.{shard}.{erased_at[0]}-{erased_at[1]}"

    def under(self, rules: Ruleset, upto: tuple[int, int] | None = None) -> "Account":
        """The same log, or the part of it up to an entry, under other rules."""
        said = self.said if upto is None else [one for one in self.said if one.entry <= upto]
        return Account(rules, self.texts, said, self.homes)


def accounts(
    entries: Iterable[RawEntry], shards: dict[int, int] | None = None
) -> tuple[dict[str, Account], dict[Place, str]]:
    """The account of every game, and the verdict on each entry: accepted, duplicate or refused.

    `shards` says how many shards the log had in each epoch.
    """
    games: dict[str, Account] = {}
    seen: dict[tuple[str, str], AnyEvent] = {}
    verdicts: dict[Place, str] = {}
    for raw in sorted(entries, key=lambda one: (one.epoch, one.ms, one.seq, one.shard)):
        try:
            event = decode(raw.body)
        except InvalidEvent:
            verdicts[raw.shard, raw.ms, raw.seq] = "refused"
            continue
        home = crc32(event.game.encode()) % (shards or {}).get(raw.epoch, 1)
        verdict = "refused" if home != raw.shard else admitted(event, games, seen)
        if verdict == "accepted":
            games[event.game].said.append(Said((raw.ms, raw.seq), event))
            games[event.game].homes[raw.ms, raw.seq] = (raw.epoch, raw.shard)
        verdicts[raw.shard, raw.ms, raw.seq] = verdict
    return games, verdicts


def admitted(event: AnyEvent, games: dict[str, Account], seen: dict[tuple[str, str], AnyEvent]) -> str:
    """The verdict on an event on the shard of its game."""
    account = games.get(event.game)
    if isinstance(event, RulesetChange):
        if not good_rules(event, account.texts if account is not None else {}):
            return "refused"
        if account is None:
            account = games[event.game] = Account(parse(event.text))
    elif account is None or not allowed(event, account.rules):
        return "refused"
    known = seen.setdefault((event.game, event.id), event)
    if known is not event:
        return "duplicate" if known == event else "refused"
    if isinstance(event, RulesetChange):
        account.texts.setdefault(event.version, event.text)
    return "accepted"


def good_rules(event: RulesetChange, texts: dict[int, str]) -> bool:
    """The next version of the rules, or one that there is, again; of this game, and for its whole log."""
    try:
        parse(event.text, game=event.game)
    except InvalidRuleset:
        return False
    if event.mode != "retroactive":
        return False
    return event.version == len(texts) + 1 or texts.get(event.version) == event.text


def allowed(event: AnyEvent, rules: Ruleset) -> bool:
    """Whether the ruleset has nothing against an event by itself."""
    if isinstance(event, Score):
        return good_values(event.values, rules, bounded=True)
    if isinstance(event, Adjustment):
        return good_values(event.values, rules, bounded=False) and event.board in (None, *rules.boards)
    if isinstance(event, Pick):
        return good_pick(event, rules)
    if isinstance(event, Fixture):
        tables = any(isinstance(source, TableSource) for source in rules.sources.values())
        return not (tables and event.sides is not None and len(set(event.sides)) < len(event.sides))
    if isinstance(event, Result):
        return good_result(event, rules)
    if isinstance(event, Freeze | Close):
        return event.board in (None, *rules.boards)
    return True


def good_values(values: dict[str, Any], rules: Ruleset, *, bounded: bool) -> bool:
    """Declared metrics only, with few enough digits, within their bounds."""
    for name, value in values.items():
        metric = rules.metrics.get(name)
        if metric is None:
            return False
        digits = Fraction(value) * 10**metric.scale
        if digits.denominator != 1 and metric.rounding == "refuse":
            return False
        if bounded and metric.min is not None and value < metric.min:
            return False
        if bounded and metric.max is not None and value > metric.max:
            return False
    return True


def good_pick(event: Pick, rules: Ruleset) -> bool:
    """A market that there is, a choice that can be read, a stake within its bounds."""
    choices = [event.choice] if isinstance(event.choice, str) else event.choice
    sources = [one for one in rules.sources.values() if isinstance(one, PicksSource) and one.market == event.market]
    if not sources or any(choice_rule(source, choices) is not None for source in sources):
        return False
    if event.stake is None:
        return True
    stakes = [source.stakes for source in sources if source.stakes is not None]
    return bool(stakes) and all(
        Decimal(event.stake) >= one.min and (one.max is None or event.stake <= one.max) for one in stakes
    )


def good_result(event: Result, rules: Ruleset) -> bool:
    """Scores within the bounds of what they count as, declared values on lines, numbers where they are guessed."""
    for source in rules.sources.values():
        if isinstance(source, TableSource):
            for name in {source.scored, source.conceded} - {None}:
                if not all(good_values({str(name): goals}, rules, bounded=True) for goals in event.score or []):
                    return False
        if isinstance(source, PicksSource) and source.guess is not None:
            outcome = (event.outcomes or {}).get(source.market or "winner")
            if outcome is not None and (len(outcome) != 1 or number_of(outcome[0]) is None):
                return False
    return all(good_values(line.values or {}, rules, bounded=True) for line in event.placements or [])


@dataclass
class Effects:
    """What corrections and statements about players come to, in the order of the log."""

    void: set[str] = field(default_factory=set)
    erased: dict[str, list[tuple[int, int]]] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    traits: dict[str, dict[str, Any]] = field(default_factory=dict)
    clock: int = 0
    rejected: set[str] = field(default_factory=set)


class History:
    """Goes through accepted events one by one and keeps `effects` up to date: `take` each, in order."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self.effects = Effects()
        self.seen: dict[str, Said] = {}

    def take(self, said: Said) -> bool:
        """Whether the event had an effect when it came."""
        event, effects = said.event, self.effects
        self.seen[event.id] = said
        effects.clock = max(effects.clock, said.entry[0])
        if event.id in effects.void and isinstance(event, CORRECTABLE):
            # What was void before it came; it may be reinstated.
            return isinstance(event, Result)
        if isinstance(event, Void | Reinstate):
            return self._correct(event)
        if isinstance(event, Tick):
            effects.clock = max(effects.clock, epoch_ms(event.at))
        elif isinstance(event, Player):
            self._state(event, said)
        return True

    def _correct(self, event: Void | Reinstate) -> bool:
        """Whether the correction changed anything: what is void cannot be voided, and only that can be reinstated."""
        target = self.seen.get(event.event)
        if target is not None and not isinstance(target.event, CORRECTABLE):
            self.effects.rejected.add(event.id)
            return False
        voids = isinstance(event, Void)
        if voids == (event.event in self.effects.void):
            return False
        (self.effects.void.add if voids else self.effects.void.discard)(event.event)
        return True

    def _state(self, event: Player, said: Said) -> None:
        effects, player = self.effects, event.player
        if event.status == "erased" and not player.startswith("erased-"):
            effects.erased.setdefault(player, []).append(said.entry)
            effects.status.pop(player, None)
            effects.traits.pop(player, None)
            effects.status[self.account.stands_in(player, said.entry)] = "erased"
            return
        if event.attributes:
            effects.traits.setdefault(player, {}).update(event.attributes)
        if event.status == "active":
            effects.status.pop(player, None)
        elif event.status is not None:
            effects.status[player] = event.status

    def name(self, player: str, entry: tuple[int, int]) -> str:
        """What the player is called now whom an event at this entry names."""
        for erased_at in self.effects.erased.get(player, ()):
            if entry <= erased_at:
                return self.account.stands_in(player, erased_at)
        return player
