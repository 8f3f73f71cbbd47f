"""Settings come from the environment only, and a bad one is named with its rule."""

from pathlib import Path

import msgspec
import pytest

from cli import local, settings
from cli.local import Note
from schemas.errors import InvalidInput, Unavailable


def problems(environment: dict[str, str]) -> dict[str, str]:
    with pytest.raises(InvalidInput) as caught:
        settings.load(environment)
    return {problem.field: problem.rule for problem in caught.value.problems}


def test_nothing_is_required() -> None:
    found = settings.load({})
    assert (found.host, found.port, found.url) == ("127.0.0.1", 8321, "http://127.0.0.1:8321")
    assert not found.external()
    assert found.hold_shards == ()


def test_an_empty_variable_counts_as_not_set() -> None:
    assert settings.load({"RANKFOLD_PORT": " ", "DATABASE_URL": ""}) == settings.load({})


def test_one_redis_serves_both_unless_they_are_named() -> None:
    shared = {"REDIS_URL": "redis://127.0.0.1:6379/0"}
    found = settings.load(shared)
    assert found.redis_log_url == found.redis_rankings_url == shared["REDIS_URL"]
    found = settings.load({**shared, "REDIS_LOG_URL": "unix:///run/log.sock"})
    assert (found.redis_log_url, found.redis_rankings_url) == ("unix:///run/log.sock", shared["REDIS_URL"])


def test_clients_look_where_the_server_listens() -> None:
    assert settings.load({"RANKFOLD_PORT": "9000"}).url == "http://127.0.0.1:9000"
    assert settings.load({"RANKFOLD_URL": "https://ranks.example/"}).url == "https://ranks.example"


def test_every_bad_variable_is_named_with_its_rule() -> None:
    found = problems(
        {
            "RANKFOLD_PORT": "70000",
            "RANKFOLD_SHARDS": "many",
            "REDIS_URL": "http://user:secret@host",
            "DATABASE_URL": "postgresql://host:port/db",
            "RANKFOLD_CORPORA": "/nowhere/at/all",
            "RANKFOLD_HOLD_SHARDS": "0,7000",
        }
    )
    assert found["RANKFOLD_PORT"] == "a whole number from 1 to 65535, not '70000'"
    assert "redis:// or rediss:// or unix://" in found["REDIS_URL"]
    assert "folder that exists" in found["RANKFOLD_CORPORA"]
    assert set(found) == {
        "RANKFOLD_PORT",
        "RANKFOLD_SHARDS",
        "REDIS_URL",
        "DATABASE_URL",
        "RANKFOLD_CORPORA",
        "RANKFOLD_HOLD_SHARDS",
    }


def test_a_url_that_is_refused_is_not_repeated() -> None:
    assert "secret" not in str(problems({"REDIS_URL": "redis//user:secret@host"}))


@pytest.mark.parametrize("key", ["rfk_1\nX-Admin: 1", "rfk_1 secret", "rfk_\udcffsecret", "rfk_é"])
def test_what_no_header_holds_is_no_key(key: str) -> None:
    assert problems({"RANKFOLD_KEY": key}) == {"RANKFOLD_KEY": "a key as `rankfold keys create` shows it"}


def test_what_is_missing_is_named_with_an_example() -> None:
    with pytest.raises(Unavailable, match=r"DATABASE_URL is not set, for example postgresql://"):
        settings.load({}).require_database()


def test_children_get_the_services_and_the_address() -> None:
    found = settings.load({"REDIS_URL": "redis://a", "DATABASE_URL": "postgresql://b/c", "RANKFOLD_PORT": "9000"})
    environment = settings.child_environment(found)
    again = settings.load(environment)
    assert (again.redis_log_url, again.database_url, again.port) == ("redis://a", "postgresql://b/c", 9000)


def note(pid: int) -> Note:
    return Note(pid, "http://127.0.0.1:9999", "unix:///l", "unix:///r", "postgresql:///d?host=/s")


def test_a_running_up_is_found_through_its_note(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("REDIS_URL", "REDIS_LOG_URL", "REDIS_RANKINGS_URL", "DATABASE_URL", "RANKFOLD_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("RANKFOLD_DATA", str(tmp_path))
    with local.announced(tmp_path, note(1)):
        found = local.load()
        assert (found.url, found.redis_log_url) == ("http://127.0.0.1:9999", "unix:///l")
        monkeypatch.setenv("RANKFOLD_URL", "http://elsewhere")
        monkeypatch.setenv("DATABASE_URL", "postgresql://mine/db")
        found = local.load()
        assert (found.url, found.redis_log_url, found.database_url) == (
            "http://elsewhere",
            None,
            "postgresql://mine/db",
        )
    assert not (tmp_path / local.NOTE).exists()


def test_the_note_of_a_killed_up_does_not_count(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANKFOLD_DATA", str(tmp_path))
    (tmp_path / local.NOTE).write_bytes(msgspec.json.encode(note(2**22 + 1)))
    assert local.load().url != "http://127.0.0.1:9999"
    (tmp_path / local.NOTE).write_text("not a note")
    assert local.load().url != "http://127.0.0.1:9999"


def test_origins_are_named_as_browsers_write_them() -> None:
    assert settings.load({}).cors_origins == ()
    assert settings.load({"RANKFOLD_CORS_ORIGINS": "*"}).cors_origins == ("*",)
    named = settings.load({"RANKFOLD_CORS_ORIGINS": "https://example.org, http://localhost:3000,https://example.org"})
    assert named.cors_origins == ("https://example.org", "http://localhost:3000")


@pytest.mark.parametrize(
    "text",
    [
        "example.org",
        "https://example.org/",
        "https://example.org/page",
        "https://Example.org",
        "https://example.org:443",
        "https://me@example.org",
        "ftp://example.org",
        "*,https://example.org",
        "https://exa mple.org",
        "https://example.org\r\nX: y",
        ",",
        "https://",
    ],
)
def test_what_no_browser_sends_as_an_origin_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="RANKFOLD_CORS_ORIGINS"):
        settings.load({"RANKFOLD_CORS_ORIGINS": text})


def test_keys_bring_limits_unless_it_is_said_otherwise() -> None:
    assert (settings.load({}).auth, settings.load({}).limited) == ("open", False)
    assert settings.load({"RANKFOLD_AUTH": "keys"}).limited
    assert not settings.load({"RANKFOLD_AUTH": "keys", "RANKFOLD_LIMITS": "off"}).limited
    assert settings.load({"RANKFOLD_LIMITS": "on", "RANKFOLD_LIMIT_RANKS": "7"}).limit_ranks == 7
    with pytest.raises(InvalidInput, match="RANKFOLD_AUTH: open or keys, not 'key'"):
        settings.load({"RANKFOLD_AUTH": "key"})


def test_a_key_does_not_show_in_the_settings() -> None:
    assert "rfk_secret" not in repr(settings.load({"RANKFOLD_KEY": "rfk_secret"}))
