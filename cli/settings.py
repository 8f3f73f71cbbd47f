"""What the environment says. The only place that reads it: everything else takes arguments."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from schemas.errors import InvalidInput, Problem, Unavailable

REDIS_SCHEMES = ("redis", "rediss", "unix")
POSTGRES_SCHEMES = ("postgresql", "postgres")
HTTP_SCHEMES = ("http", "https")
SHARDS_MAX = 1_024

T = TypeVar("T")


@dataclass(frozen=True)
class Settings:
    """Every setting, checked. Units last in a name; `docs/operations.md` has the table of variables."""

    redis_log_url: str | None = None
    redis_rankings_url: str | None = None
    database_url: str | None = None
    host: str = "127.0.0.1"
    port: int = 8321
    shards: int = 1
    hold_shards: tuple[int, ...] = ()
    data: Path = field(default=Path(".rankfold"))
    url: str = "http://127.0.0.1:8321"
    url_is_set: bool = False
    batch_events_max: int = 50_000
    cache_rows: int = 500_000
    keep_log_s: int = 3_600
    keep_history_s: int | None = None
    database_connections: int = 8
    database_statements: int = 100
    metrics_port: int | None = None
    crash_at: str | None = None
    corpora: Path | None = None
    cold_dir: Path | None = None
    auth: Literal["open", "keys"] = "open"
    key: str | None = field(default=None, repr=False)
    limits: bool | None = None
    limit_submissions: int = 60
    limit_ranks: int = 300
    limit_boards: int = 600
    proxies: int = 0
    log: Literal["json", "text"] | None = None
    cors_origins: tuple[str, ...] = ()
    fold_events_max: int = 200_000

    def external(self) -> bool:
        """Whether any service of one's own is named: then none is started here."""
        return any((self.redis_log_url, self.redis_rankings_url, self.database_url))

    @property
    def limited(self) -> bool:
        """Whether requests are limited: unless said, where keys are needed."""
        return self.auth == "keys" if self.limits is None else self.limits

    def require_database(self) -> str:
        """The database's URL; raises Unavailable naming the variable."""
        return _required(self.database_url, "DATABASE_URL", "postgresql://user:password@127.0.0.1:5432/rankfold")

    def require_log(self) -> str:
        """The log's Redis; raises Unavailable naming the variable."""
        return _required(self.redis_log_url, "REDIS_LOG_URL (or REDIS_URL)", "redis://127.0.0.1:6379/0")

    def require_rankings(self) -> str:
        """The rankings' Redis; raises Unavailable naming the variable."""
        return _required(self.redis_rankings_url, "REDIS_RANKINGS_URL (or REDIS_URL)", "redis://127.0.0.1:6380/0")


def _required(value: str | None, name: str, example: str) -> str:
    if value is None:
        found = "`rankfold up` starts its own, and is found from its folder or by RANKFOLD_DATA"
        raise Unavailable(f"{name} is not set, for example {example}; {found}")
    return value


def load(environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of an environment (default: this process's); raises InvalidInput with every bad variable."""
    reader = _Reader(os.environ if environment is None else environment)
    shared = reader.url("REDIS_URL", REDIS_SCHEMES)
    port = reader.number("RANKFOLD_PORT", 8321, 1, 65_535)
    settings = Settings(
        redis_log_url=reader.url("REDIS_LOG_URL", REDIS_SCHEMES) or shared,
        redis_rankings_url=reader.url("REDIS_RANKINGS_URL", REDIS_SCHEMES) or shared,
        database_url=reader.url("DATABASE_URL", POSTGRES_SCHEMES),
        host=reader.text("RANKFOLD_HOST") or "127.0.0.1",
        port=port,
        shards=reader.number("RANKFOLD_SHARDS", 1, 1, SHARDS_MAX),
        hold_shards=reader.shards("RANKFOLD_HOLD_SHARDS"),
        data=Path(reader.text("RANKFOLD_DATA") or ".rankfold"),
        url=(reader.url("RANKFOLD_URL", HTTP_SCHEMES) or f"http://127.0.0.1:{port}").rstrip("/"),
        url_is_set=reader.text("RANKFOLD_URL") is not None,
        batch_events_max=reader.number("RANKFOLD_BATCH_EVENTS_MAX", 50_000, 1, 1_000_000),
        cache_rows=reader.number("RANKFOLD_CACHE_ROWS", 500_000, 1_000, 100_000_000),
        keep_log_s=reader.number("RANKFOLD_KEEP_LOG_S", 3_600, 0, 31_536_000),
        keep_history_s=reader.number("RANKFOLD_KEEP_HISTORY_S", 0, 0, 3_153_600_000) or None,
        database_connections=reader.number("RANKFOLD_DATABASE_CONNECTIONS", 8, 2, 500),
        database_statements=reader.number("RANKFOLD_DATABASE_STATEMENTS", 100, 0, 10_000),
        metrics_port=reader.number("RANKFOLD_METRICS_PORT", 0, 0, 65_535) or None,
        crash_at=reader.text("RANKFOLD_CRASH_AT"),
        corpora=reader.folder("RANKFOLD_CORPORA"),
        cold_dir=reader.folder("RANKFOLD_COLD_DIR"),
        auth=reader.choice("RANKFOLD_AUTH", {"open": "open", "keys": "keys"}, "open"),
        key=reader.token("RANKFOLD_KEY"),
        limits=reader.choice("RANKFOLD_LIMITS", {"on": True, "off": False}, None),
        limit_submissions=reader.number("RANKFOLD_LIMIT_SUBMISSIONS", 60, 0, 100_000_000),
        limit_ranks=reader.number("RANKFOLD_LIMIT_RANKS", 300, 0, 100_000_000),
        limit_boards=reader.number("RANKFOLD_LIMIT_BOARDS", 600, 0, 100_000_000),
        proxies=reader.number("RANKFOLD_PROXIES", 0, 0, 10),
        log=reader.choice("RANKFOLD_LOG", {"json": "json", "text": "text"}, None),
        cors_origins=reader.origins("RANKFOLD_CORS_ORIGINS"),
        fold_events_max=reader.number("RANKFOLD_FOLD_EVENTS_MAX", 200_000, 0, 100_000_000),
    )
    if reader.problems:
        raise InvalidInput(*reader.problems)
    return settings


def child_environment(settings: Settings) -> dict[str, str]:
    """This process's environment for its own consumer and API, with the services and the address put in."""
    given = {
        "REDIS_LOG_URL": settings.redis_log_url,
        "REDIS_RANKINGS_URL": settings.redis_rankings_url,
        "DATABASE_URL": settings.database_url,
        "RANKFOLD_HOST": settings.host,
        "RANKFOLD_PORT": str(settings.port),
        "RANKFOLD_AUTH": settings.auth,
    }
    return {**os.environ, **{name: value for name, value in given.items() if value is not None}}


def _is_origin(text: str) -> bool:
    """Whether this is an origin as browsers write it: scheme, host in lower case, and a port that is not the usual one."""
    parts = urlsplit(text)
    usual = {"http": 80, "https": 443}.get(parts.scheme)
    host = parts.hostname is not None and parts.hostname == parts.hostname.lower() and "@" not in parts.netloc
    plain = text == f"{parts.scheme}://{parts.netloc}" and text == text.lower() and text.isascii()
    return usual is not None and host and plain and parts.port != usual and not any(each <= " " for each in text)


class _Reader:
    """Reads variables and collects what is wrong with them. An empty variable counts as not set."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment
        self.problems: list[Problem] = []

    def text(self, name: str) -> str | None:
        return self._environment.get(name, "").strip() or None

    def number(self, name: str, default: int, low: int, high: int) -> int:
        def read(text: str) -> int:
            if not (text.isascii() and text.isdecimal() and len(text) <= 12 and low <= int(text) <= high):
                raise ValueError
            return int(text)

        return self._read(name, read, f"a whole number from {low} to {high}", default)

    def choice(self, name: str, choices: Mapping[str, T], default: T) -> T:
        def read(text: str) -> T:
            if text not in choices:
                raise ValueError
            return choices[text]

        return self._read(name, read, " or ".join(choices), default)

    def url(self, name: str, schemes: tuple[str, ...]) -> str | None:
        def read(text: str) -> str:
            parts = urlsplit(text)
            _ = parts.port  # raises ValueError when it is none
            if parts.scheme not in schemes or not (parts.netloc or parts.path.strip("/")):
                raise ValueError
            return text

        # The value is not repeated: a URL may hold a password.
        return self._read(name, read, f"a URL that starts with {' or '.join(f'{s}://' for s in schemes)}", None, False)

    def token(self, name: str) -> str | None:
        def read(text: str) -> str:
            if not all("!" <= each <= "~" for each in text):
                raise ValueError
            return text

        # What is nearly a key is not repeated either.
        return self._read(name, read, "a key as `rankfold keys create` shows it", None, False)

    def origins(self, name: str) -> tuple[str, ...]:
        def read(text: str) -> tuple[str, ...]:
            named = tuple(dict.fromkeys(part.strip() for part in text.split(",")))
            if named != ("*",) and not all(map(_is_origin, named)):
                raise ValueError
            return named

        return self._read(name, read, "* or origins such as https://example.org with commas between them", ())

    def folder(self, name: str) -> Path | None:
        def read(text: str) -> Path:
            if not Path(text).is_dir():
                raise ValueError
            return Path(text)

        return self._read(name, read, "a folder that exists", None)

    def shards(self, name: str) -> tuple[int, ...]:
        def read(text: str) -> tuple[int, ...]:
            held = tuple(sorted({int(part) for part in text.split(",")}))
            if not all(0 <= shard < SHARDS_MAX for shard in held):
                raise ValueError
            return held

        return self._read(name, read, f"numbers from 0 to {SHARDS_MAX - 1} with commas between them", ())

    def _read(self, name: str, read: Callable[[str], T], rule: str, default: T, shown: bool = True) -> T:
        text = self.text(name)
        if text is None:
            return default
        try:
            return read(text)
        except ValueError:
            self.problems.append(Problem(name, f"{rule}, not {text[:80]!r}" if shown else rule))
            return default
