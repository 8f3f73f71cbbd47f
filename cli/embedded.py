"""Real servers without an installation, for `up`, `demo`, tests and benchmarks: two Redis and one PostgreSQL.

They are private to a folder. The data stays there between runs; the processes end with the one that started them,
however that one ends. One process uses a folder at a time. This module may not read the environment, and knows nothing
of what is stored.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Literal, Self

from cli.embedded_process import is_running, wait_until
from cli.embedded_servers import PostgresServer, RedisServer, Server
from schemas.errors import Unavailable

Which = Literal["log", "rankings", "postgres"]

# The kernel allows 107 bytes for a Unix socket's path; PostgreSQL's name for it takes 14 of them.
SOCKET_FOLDER_BYTES_MAX = 90
LEFTOVER_SECONDS_MAX = 30.0


@dataclass(frozen=True)
class Services:
    """Where the servers are reached, and the processes that they are at this moment."""

    log_url: str
    rankings_url: str
    database_url: str
    log_pid: int
    rankings_pid: int
    postgres_pid: int


class Embedded:
    """A context manager around the three servers of one folder; `start` and `stop` for those who cannot nest.

    `postgres_settings` are put over our own (`shared_buffers` and the like). With `keep=False` the folder is deleted on
    `stop`. Raises `Unavailable` when another process uses the folder, when a wheel is missing, and when a server does
    not start, with its last messages.
    """

    def __init__(
        self, folder: Path, *, postgres_settings: Mapping[str, str] = MappingProxyType({}), keep: bool = True
    ) -> None:
        self._folder = folder.absolute()
        self._postgres_settings = dict(postgres_settings)
        self._keep = keep
        self._servers: dict[Which, Server] = {}
        self._cleanup = ExitStack()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def services(self) -> Services:
        """As they run now: the pids change with `restart`, the URLs do not."""
        if not self._servers:
            raise Unavailable("the embedded servers are not running")
        log, rankings, postgres = (self._servers[which] for which in ("log", "rankings", "postgres"))
        return Services(log.url, rankings.url, postgres.url, log.pid, rankings.pid, postgres.pid)

    def start(self) -> Services:
        """Returns when all three answer. When one does not, none is left running."""
        if self._servers:
            return self.services
        with ExitStack() as undo:
            self._folder.mkdir(parents=True, exist_ok=True)
            lock = self._lock(undo)
            if not self._keep:
                undo.callback(shutil.rmtree, self._folder, ignore_errors=True)
            sockets = self._socket_folder(undo)
            servers: dict[Which, Server] = {
                "log": RedisServer("log", self._folder / "log", sockets, lock),
                "rankings": RedisServer("rankings", self._folder / "rankings", sockets, lock),
                "postgres": PostgresServer(
                    "postgres", self._folder / "postgres", sockets, lock, self._postgres_settings
                ),
            }
            for server in servers.values():
                undo.callback(server.stop)
                server.start()
            self._servers = servers
            self._cleanup = undo.pop_all()
        return self.services

    def stop(self) -> None:
        """Returns when none of them runs any more; does nothing when none did."""
        self._servers = {}
        self._cleanup.pop_all().close()

    def kill(self, which: Which) -> None:
        """SIGKILL, for tests of what happens then; returns when the server and its children are gone."""
        self._servers[which].kill()

    def restart(self, which: Which) -> None:
        """Starts the server again, at the same URL and on the same data, after stopping it if it still runs."""
        self._servers[which].stop()
        self._servers[which].start()

    def _lock(self, undo: ExitStack) -> int:
        """Takes the folder for this process and returns the lock's file descriptor.

        The servers inherit the descriptor, so the folder stays taken until the last of them is gone, even when the
        process that started them was killed.
        """
        file = undo.enter_context((self._folder / "lock").open("a+"))

        def take() -> bool:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            return True

        if not take():
            file.seek(0)
            owner = file.read().strip()
            alive = not owner.isdigit() or is_running(int(owner))
            if alive or not wait_until(take, LEFTOVER_SECONDS_MAX):
                raise Unavailable(
                    f"{self._folder} is in use by process {owner or 'unknown'}: stop it, or choose another folder"
                )
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        return file.fileno()

    def _socket_folder(self, undo: ExitStack) -> Path:
        inside = self._folder / "run"
        if len(os.fsencode(inside)) <= SOCKET_FOLDER_BYTES_MAX and '"' not in str(inside):
            inside.mkdir(mode=0o700, exist_ok=True)
            return inside
        elsewhere = Path(tempfile.mkdtemp(prefix="rankfold-"))
        undo.callback(shutil.rmtree, elsewhere, ignore_errors=True)
        return elsewhere
