"""`python -m bench` (`make bench`): one canonical run, no arguments needed. `--quick` is a tenth of it, to see that it works.

The exit status tells whether everything ran and the results were right (nothing lost, live equals replay), never how fast.
"""

import argparse
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from rich.console import Console

from bench import corrections, http, matrix, phases, report
from bench.processes import BenchError, Child
from bench.stack import Stack
from bench.workload import RULES, SKEW, share_of_busiest
from cli.embedded import Embedded
from schemas.errors import Unavailable

RESULTS = Path(__file__).parent / "results" / "latest.json"
BUSY_LOAD = 0.5
LATENCY_RATE = 5_000
PARTS = ("streams", "replay", "http", "latency", "corrections", "memory")


@dataclass(frozen=True)
class Plan:
    """How much of everything. Units last in a name."""

    events: int = 1_000_000
    players: int = 100_000
    rounds: int = 3
    http: matrix.Plan = matrix.FULL
    latency_s: int = 20
    memory_players: int = 1_000_000
    correction_size: int = 100_000


QUICK = Plan(
    events=100_000,
    players=10_000,
    rounds=1,
    http=matrix.QUICK,
    latency_s=4,
    memory_players=100_000,
    correction_size=10_000,
)


class Bench:
    """One run over a stack; `results` fills as the phases end."""

    def __init__(self, stack: Stack, folder: Path, plan: Plan, parts: Sequence[str]) -> None:
        self.stack = stack
        self.folder = folder
        self.plan = plan
        self.parts = parts
        self.results: dict[str, Any] = {}
        self._console = Console(stderr=True, highlight=False, markup=False, soft_wrap=True)
        self._started = time.monotonic()
        self._backlogs: list[phases.Backlog] = []
        self._spread: list[phases.Backlog] = []
        self._beside: list[float] = []

    def tell(self, text: str) -> None:
        """A line of progress."""
        seconds = int(time.monotonic() - self._started)
        self._console.print(f"{seconds // 60:3d}:{seconds % 60:02d}  {text}")

    def run(self) -> None:
        """All phases. The boards of the last round are those that replay and latency are measured on."""
        plan = self.plan
        # Some parts need the boards of one backlog, and its rate; the others make boards of their own.
        rounds = plan.rounds if "streams" in self.parts else int(not {"memory", "http"}.issuperset(self.parts))
        for number in range(1, rounds + 1):
            name = f"round {number} of {rounds}"
            if "streams" in self.parts:
                self._beside_round(number, name)
                self._spread_round(number, name)
            self.stack.reset()
            with self.stack.consumer() as consumer:
                self._backlog_round(consumer, number, name)
                if number == rounds:
                    self._streams_done()
                    self._on_the_boards(consumer)
        if "http" in self.parts:
            self._http()
        if "memory" in self.parts:
            told = f"memory with {plan.memory_players:,} players"
            self.results["memory"] = phases.memory(self.stack, plan.memory_players, lambda t: self.tell(f"{told}: {t}"))

    def _beside_round(self, number: int, name: str) -> None:
        plan, told = self.plan, f"beside a publisher, {name}"
        rate = phases.beside_publisher(
            self.stack, plan.events, plan.players, number, lambda text: self.tell(f"{told}: {text}")
        )
        self._beside.append(rate)
        self.tell(f"{told}: {rate:,.0f} events/s")

    def _spread_round(self, number: int, name: str) -> None:
        plan, told = self.plan, f"spread over {phases.SPREAD_SHARDS} shards, {name}"
        found = phases.spread(self.stack, plan.events, plan.players, number, lambda text: self.tell(f"{told}: {text}"))
        self._spread.append(found)
        self._tell_backlog(told, found)

    def _backlog_round(self, consumer: Child, number: int, name: str) -> None:
        plan, told = self.plan, f"backlog, {name}"
        found = phases.bare_and_backlog(
            self.stack, [consumer], plan.events, plan.players, number, lambda text: self.tell(f"{told}: {text}")
        )
        self._backlogs.append(found)
        self._tell_backlog(told, found)

    def _tell_backlog(self, told: str, found: phases.Backlog) -> None:
        self.tell(f"{told}: published bare at {found.bare_s:,.0f} events/s, consumed at {found.backlog_s:,.0f}")

    def _streams_done(self) -> None:
        plan = self.plan
        bare = [found.bare_s for found in self._backlogs]
        backlog, cpu_us = _summed_up(self._backlogs)
        streams = {"bare": report.rates(bare), "backlog": backlog, "cpu_us_per_event": cpu_us}
        if self._beside:
            streams["beside"] = report.rates(self._beside, bare)
        if self._spread:
            spread, cpu_us = _summed_up(self._spread)
            streams["spread"] = {**spread, "cpu_us_per_event": cpu_us}
        self.results["streams"] = streams
        self.results["sizes"] = phases.sizes(self.stack, plan.players, plan.events)

    def _on_the_boards(self, consumer: Child) -> None:
        plan = self.plan
        if "replay" in self.parts:
            self.results["replay"] = {option: self._replay(option) for option in ("verify", "swap")}
        if "latency" in self.parts:
            self.tell(f"latency at {LATENCY_RATE:,} events/s for {plan.latency_s} s")
            self.results["latency"] = phases.latency(self.stack, consumer, LATENCY_RATE, plan.latency_s, plan.players)
        if "corrections" in self.parts:
            self.tell(f"corrections of {plan.correction_size:,} events")
            self.results["corrections"] = corrections.measure(self.stack, consumer, plan.correction_size)

    def _replay(self, option: str) -> dict[str, Any]:
        found = []
        for number in range(1, self.plan.rounds + 1):
            told = f"replay --{option}, round {number} of {self.plan.rounds}"
            self.tell(told)
            found.append(phases.replay(self.stack, f"--{option}"))
            self.tell(f"{told}: {found[-1]:,.0f} events/s")
        return {"events_s": found, "ratio": median(found) / median(each.backlog_s for each in self._backlogs)}

    def _http(self) -> None:
        if http.wrk_path() is None:
            self.tell("HTTP is left out: wrk is missing (apt-get install wrk, brew install wrk)")
            return
        self.results["http"] = matrix.measure(
            self.stack, self.folder, self.plan.http, lambda text: self.tell(f"HTTP, {text}")
        )


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the benchmark and returns the exit status."""
    options = _parser().parse_args(arguments)
    # So that services and files go away when the run is cut off, as by a time limit.
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    plan = QUICK if options.quick else Plan()
    document: dict[str, Any] = {
        "started_at": report.now(),
        "machine": report.machine(),
        "plan": {**asdict(plan), "quick": options.quick, "latency_rate": LATENCY_RATE, "rules": RULES},
        "skew": {"exponent": SKEW, "share_of_busiest_hundredth": share_of_busiest(plan.events, plan.players)},
    }
    with tempfile.TemporaryDirectory(prefix="rankfold-bench-") as name:
        folder = Path(name)
        log = folder / "children.log"
        try:
            if "http" in options.only:
                http.wrk_path()
            with Embedded(folder / "services", keep=False) as embedded:
                bench = Bench(Stack(embedded.services, log), folder, plan, options.only)
                if document["machine"]["load_average_before"] > BUSY_LOAD * document["machine"]["cores"]:
                    bench.tell("this machine is busy with other things: only ratios will mean something")
                bench.run()
        except (BenchError, Unavailable) as error:
            print(f"error: {error}\n{_last_lines(log)}", file=sys.stderr)
            return 1
    document["results"] = bench.results
    kind = "a tenth of the benchmark" if options.quick else "the benchmark"
    report.show(report.summary(bench.results), f"Rankfold, {kind}: {plan.events:,} events, {plan.players:,} players")
    report.save(options.json, document)
    print(f"stored in {options.json}")
    return 0


def _summed_up(rounds: list[phases.Backlog]) -> tuple[dict[str, Any], dict[str, float]]:
    """The rates of several rounds against their own bare publishing, and the processor time of each process."""
    rates = report.rates([found.backlog_s for found in rounds], [found.bare_s for found in rounds])
    return rates, {name: round(median(found.cpu_us[name] for found in rounds), 1) for name in rounds[0].cpu_us}


def _last_lines(log: Path) -> str:
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    return "\n".join(lines[-20:])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of everything, one round")
    parser.add_argument("--json", type=Path, default=RESULTS, metavar="PATH", help=f"default: {_shown(RESULTS)}")
    parser.add_argument(
        "--only", nargs="+", choices=PARTS, default=list(PARTS), help="these parts, after the backlog that they need"
    )
    return parser


def _shown(path: Path) -> str:
    return str(path.relative_to(Path(__file__).parents[1]))


if __name__ == "__main__":
    sys.exit(main())
