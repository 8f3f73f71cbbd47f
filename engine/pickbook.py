"""The pick book: the picks that were accepted, when each player first picked, and which fixtures a round has.

Offline it holds all of them; live only what the present batch needs, loaded in bulk before it is folded.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from typing import NamedTuple

from engine.contests import Contest
from engine.picks import NEVER, Markets, PickMarks, Placed, counting, placed
from schemas.events import Pick, PlayerStatus, Round
from schemas.position import Position

_ENTRY = itemgetter(0, 1, 2)
_NOBODY: dict[str, list[Placed]] = {}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class PickLine(NamedTuple):
    """An accepted pick with whom and what it is of; the market is empty for picks without one."""

    fixture: str
    player: str
    market: str
    pick: Placed


class PickBook:
    """`judge` a pick, then `enter` it. `fresh`, `gone` and `newcomers` are what has changed and is not stored yet."""

    def __init__(self, markets: Markets) -> None:
        self.markets = markets
        self.joined: dict[str, int] = {}
        """When the first accepted pick of each player was recorded; empty in games that do not ask."""
        self.rounds: dict[Round, dict[str, int]] = {}
        """The start of each fixture of a round, epoch milliseconds; empty in games that do not ask."""
        self.fresh: list[PickLine] = []
        self.gone: list[PickLine] = []
        self.newcomers: list[tuple[str, int]] = []
        self._picks: dict[tuple[str, str], dict[str, list[Placed]]] = {}

    def of(self, fixture: str, market: str) -> Mapping[str, list[Placed]]:
        """The picks of one market of a fixture by player, each in log order."""
        return self._picks.get((fixture, market), _NOBODY)

    def first_ms(self, round_: Round | None) -> int | None:
        """When the first fixture of a round starts."""
        return min(self.rounds[round_].values(), default=None) if round_ in self.rounds else None

    def hold(self, line: PickLine) -> None:
        """Takes in a stored pick, unless it is held already. Picks of one player and market come in log order."""
        entries = self._picks.setdefault((line.fixture, line.market), {}).setdefault(line.player, [])
        if not entries or entries[-1][:3] < line.pick[:3]:
            entries.append(line.pick)
        elif all(held[:3] != line.pick[:3] for held in entries):
            entries.append(line.pick)
            entries.sort(key=_ENTRY)

    def lines(self) -> Iterator[PickLine]:
        """All picks that are held."""
        for (fixture, market), players in self._picks.items():
            for player, entries in players.items():
                for entry in entries:
                    yield PickLine(fixture, player, market, entry)

    def let_go(self) -> None:
        """Forgets all picks; what the next batch needs is loaded for it."""
        self._picks.clear()

    def move(self, before: Contest, after: Contest) -> None:
        """Follows a fixture that is planned or moved."""
        if not self.markets.by_round or after.round is None or after.starts_ms is None:
            return
        if before.round is not None and before.round != after.round:
            self.rounds.get(before.round, {}).pop(before.fixture, None)
        self.rounds.setdefault(after.round, {})[after.fixture] = after.starts_ms

    def shifted(self, before: Contest, after: Contest) -> set[str]:
        """The other fixtures whose lock follows the first start of a round, where that start moves with this fixture."""
        if not self.markets.locks_by_round:
            return set()
        found: set[str] = set()
        for round_ in {one.round for one in (before, after) if one.round is not None}:
            others = {name: ms for name, ms in self.rounds.get(round_, {}).items() if name != after.fixture}
            starts = [
                min([*others.values(), *([one.starts_ms] if one.round == round_ and one.starts_ms is not None else [])])
                for one in (before, after)
                if others
            ]
            if len(set(starts)) > 1:
                found |= others.keys()
        return found

    def enter(self, event: Pick, position: Position) -> None:
        """Takes in an accepted pick."""
        line = _line(event, position)
        self.hold(line)
        # It may be among those that are gone, too: whether it was stored before is not known, and they are deleted first.
        self.fresh.append(line)
        if self.markets.joins and event.player not in self.joined:
            self.joined[event.player] = position.ms
            self.newcomers.append((event.player, position.ms))

    def leave(self, event: Pick, position: Position) -> None:
        """Takes out a pick, if it had been accepted."""
        line = _line(event, position)
        entries = self._picks.get((line.fixture, line.market), {}).get(line.player, [])
        entries[:] = [held for held in entries if held != line.pick]
        if line in self.fresh:
            self.fresh.remove(line)
        else:
            self.gone.append(line)

    def rename(self, before: str, after: str) -> None:
        """Gives a player another id; what he chose stays."""
        if before in self.joined:
            self.joined[after] = self.joined.pop(before)
        for entries in self._picks.values():
            if before in entries:
                entries[after] = entries.pop(before)
        self.fresh = [line._replace(player=after) if line.player == before else line for line in self.fresh]
        self.newcomers = [(after if player == before else player, ms) for player, ms in self.newcomers]

    def judge(
        self, event: Pick, ms: int, contests: Mapping[str, Contest], sanctions: Mapping[str, PlayerStatus]
    ) -> tuple[str, str] | None:
        """(field, reason) why a pick recorded at `ms` does not count as things stand; None for one that does."""
        for problem in self.markets.problems(event):
            # Only picks that were accepted under earlier rules can come here with one.
            return problem.field, problem.rule
        status = sanctions.get(event.player)
        if status in ("banned", "erased"):
            return "player", f"{event.player} is {status}"
        contest = contests.get(event.fixture)
        if contest is None or contest.starts_ms is None:
            return "fixture", f"unknown fixture {event.fixture}: nobody has planned it"
        sources = self._asked(event, contest)
        late = self._late(contest, ms, sources)
        if late is not None:
            return "fixture", late
        for source in sources:
            if source.source.stakes is not None and source.source.stakes.unique == "round":
                other = self._staked_on(event, contest, source, contests)
                if other is not None:
                    return "stake", f"used in this round on fixture {other}"
        return None

    def _asked(self, event: Pick, contest: Contest) -> list[PickMarks]:
        """The sources that a pick is for, by what is known of the contest so far."""
        sources = self.markets.sources[event.market or ""]
        return [source for source in sources if source.where(source.facts(contest))] or sources

    def _late(self, contest: Contest, ms: int, sources: list[PickMarks]) -> str | None:
        first_ms = self.first_ms(contest.round)
        lock_ms = max(source.lock_ms(contest, first_ms) for source in sources)
        if ms >= lock_ms:
            return f"late: fixture {contest.fixture} locked at {_moment(lock_ms)}, this was recorded at {_moment(ms)}"
        if lock_ms < NEVER and contest.result is not None and contest.result.status == "final":
            return f"late: the result of fixture {contest.fixture} is known"
        return None

    def _staked_on(
        self, event: Pick, contest: Contest, source: PickMarks, contests: Mapping[str, Contest]
    ) -> str | None:
        """Another fixture of the round on which the player's counting pick has the same stake."""
        if contest.round is None:
            return None
        mine = source.staked(None if event.stake is None else str(event.stake))
        first_ms = self.first_ms(contest.round)
        for fixture in self.rounds.get(contest.round, ()):
            entries = self.of(fixture, source.market).get(event.player)
            if fixture != event.fixture and entries:
                entry = counting(entries, source.lock_ms(contests[fixture], first_ms))
                if entry is not None and source.staked(entry.stake) == mine:
                    return fixture
        return None


def _line(event: Pick, position: Position) -> PickLine:
    """A pick event as the book holds it."""
    entry = placed(event, position.epoch, position.ms, position.seq)
    return PickLine(event.fixture, event.player, event.market or "", entry)


def _moment(ms: int) -> str:
    """A time as people write it; the ends of the calendar stand for what lies beyond."""
    try:
        return (_EPOCH + timedelta(milliseconds=ms)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except OverflowError:
        return f"{ms} ms"
