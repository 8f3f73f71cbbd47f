"""The embedded servers start anywhere, keep their data, survive being killed, and never outlive their owner."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from cli.embedded import Embedded, Services, Which
from cli.embedded_process import is_running
from schemas.errors import Unavailable
from tests.services import eventually_sync, sql

ROOT = Path(__file__).parents[2]
SMALL = {"shared_buffers": "16MB"}
NOBODY = 65534

OWNER = """
import dataclasses, json, sys
from pathlib import Path
from cli.embedded import Embedded
with Embedded(Path(sys.argv[1]), postgres_settings={"shared_buffers": "16MB"}) as embedded:
    print(json.dumps(dataclasses.asdict(embedded.services)), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Embedded]:
    with Embedded(tmp_path / "data", postgres_settings=SMALL) as started:
        yield started


def pids(services: Services) -> list[int]:
    return [services.log_pid, services.rankings_pid, services.postgres_pid]


def write(services: Services) -> None:
    sql(services.database_url, "CREATE TABLE IF NOT EXISTS kept (n int)", "INSERT INTO kept VALUES (1)")
    with redis.Redis.from_url(services.log_url) as client:
        client.xadd("log", {"n": 1})


def assert_written(services: Services, times: int) -> None:
    assert sql(services.database_url, "SELECT count(*) FROM kept") == times
    with redis.Redis.from_url(services.log_url) as client:
        assert client.xlen("log") == times


def assert_answer(services: Services) -> None:
    assert sql(services.database_url, "SELECT 1") == 1
    for url in (services.log_url, services.rankings_url):
        with redis.Redis.from_url(url) as client:
            assert client.ping()


def test_servers_have_the_settings_that_durability_needs(embedded: Embedded) -> None:
    with redis.Redis.from_url(embedded.services.log_url) as log:
        assert log.config_get("append*")["appendfsync"] == "always"
        assert log.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert log.config_get("port") == {"port": "0"}
    url = embedded.services.database_url
    settings = {name: sql(url, f"SHOW {name}") for name in ("fsync", "synchronous_commit", "listen_addresses")}
    assert settings == {"fsync": "on", "synchronous_commit": "on", "listen_addresses": ""}
    assert (sql(url, "SHOW server_encoding"), sql(url, "SELECT current_database()")) == ("UTF8", "rankfold")
    assert sql(url, "SELECT datcollate FROM pg_database WHERE datname = 'rankfold'") == "C"


def test_data_is_kept_between_runs(tmp_path: Path) -> None:
    for times in (1, 2):
        with Embedded(tmp_path, postgres_settings=SMALL) as embedded:
            write(embedded.services)
            assert_written(embedded.services, times)


def test_a_stopped_run_leaves_no_process(tmp_path: Path) -> None:
    with Embedded(tmp_path, postgres_settings=SMALL) as embedded:
        started = embedded.services
    assert not any(map(is_running, pids(started)))
    with pytest.raises(Unavailable):
        _ = embedded.services


def test_a_folder_that_is_not_kept_is_deleted(tmp_path: Path) -> None:
    with Embedded(tmp_path / "gone", postgres_settings=SMALL, keep=False):
        pass
    assert not (tmp_path / "gone").exists()


def test_a_killed_server_restarts_at_the_same_url_with_its_data(embedded: Embedded) -> None:
    write(embedded.services)
    before = embedded.services
    servers: tuple[Which, ...] = ("log", "rankings", "postgres")
    for which in servers:
        embedded.kill(which)
        with pytest.raises(Unavailable, match=which):
            _ = embedded.services
        embedded.restart(which)
    after = embedded.services
    assert (after.log_url, after.database_url) == (before.log_url, before.database_url)
    assert not set(pids(after)) & set(pids(before))
    assert_answer(after)
    assert_written(after, 1)


def test_postgres_restarts_after_a_kill_with_open_sessions(embedded: Embedded) -> None:
    command = [sys.executable, "-c", "import sys; from tests.services import sql; sql(sys.argv[1], sys.argv[2])"]
    url = embedded.services.database_url
    with subprocess.Popen([*command, url, "SELECT pg_sleep(600)"], cwd=ROOT, stderr=subprocess.DEVNULL) as session:
        busy = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%pg_sleep(600)%' AND pid <> pg_backend_pid()"
        eventually_sync(lambda: sql(url, busy), what="a session that is busy")
        embedded.kill("postgres")
        embedded.restart("postgres")
        assert session.wait(10) != 0
    assert_answer(embedded.services)


def test_a_second_run_on_the_same_folder_is_refused(embedded: Embedded, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=f"in use by process {os.getpid()}"):
        Embedded(tmp_path / "data", postgres_settings=SMALL).start()
    assert_answer(embedded.services)


def test_a_long_path_still_gets_sockets(tmp_path: Path) -> None:
    with Embedded(tmp_path / ("long" * 30) / "with a space", postgres_settings=SMALL) as embedded:
        assert_answer(embedded.services)


def test_a_server_that_cannot_start_says_why_and_leaves_nothing_behind(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="no_such_setting"):
        Embedded(tmp_path, postgres_settings={"no_such_setting": "1"}).start()
    with Embedded(tmp_path, postgres_settings=SMALL) as embedded:
        assert_answer(embedded.services)


def start_owner(folder: Path, **options: object) -> tuple["subprocess.Popen[str]", Services]:
    owner = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(folder)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        **options,  # type: ignore[call-overload]
    )
    assert owner.stdout is not None
    return owner, Services(**json.loads(owner.stdout.readline()))


def test_servers_end_when_their_owner_is_killed_and_the_folder_is_free_again(tmp_path: Path) -> None:
    owner, services = start_owner(tmp_path)
    with owner:
        write(services)
        owner.send_signal(signal.SIGKILL)
    with Embedded(tmp_path, postgres_settings=SMALL) as embedded:
        assert not any(map(is_running, pids(services)))
        assert_written(embedded.services, 1)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_an_unprivileged_user_can_run_them_too() -> None:
    try:
        probe = [sys.executable, "-c", "import asyncpg, cli.embedded"]
        subprocess.run(probe, cwd=ROOT, user=NOBODY, group=NOBODY, extra_groups=[], capture_output=True, check=True)
    except (PermissionError, subprocess.CalledProcessError):
        pytest.skip("this clone or its interpreter lies where only root may read")
    folder = Path("/tmp") / f"rankfold-nobody-{os.getpid()}"
    folder.mkdir(mode=0o700)
    os.chown(folder, NOBODY, NOBODY)
    try:
        owner, services = start_owner(folder, user=NOBODY, group=NOBODY, extra_groups=[])
        with owner:
            assert Path(f"/proc/{services.postgres_pid}").stat().st_uid == NOBODY
            assert_answer(services)
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
