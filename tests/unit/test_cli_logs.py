"""Log lines: JSON or text as asked for, and without secrets, wherever these come from."""

import io
import json
import logging
from collections.abc import Callable, Iterator

import pytest
import structlog

from cli import logs

TOKEN = "rfk_0123456789abcdef_" + "s" * 43
URL = "postgresql://rankfold:hunter2@127.0.0.1:5432/rankfold"


Configure = Callable[[logs.Form | None], io.StringIO]


@pytest.fixture
def configure(monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Configures logging within a test, and returns what is then written to."""
    root = logging.getLogger()
    before = root.handlers[:], root.level

    def caught(form: logs.Form | None) -> io.StringIO:
        output = io.StringIO()
        monkeypatch.setattr("sys.stderr", output)
        logs.configure(form)
        return output

    yield caught
    root.handlers, root.level = before
    structlog.reset_defaults()


@pytest.mark.parametrize("form", ["json", "text", None])
def test_secrets_stay_out(form: logs.Form | None, configure: Configure) -> None:
    output = configure(form)
    structlog.get_logger().info("connecting", url=URL, key=TOKEN)
    try:
        raise ConnectionError(f"{URL} refused {TOKEN}")
    except ConnectionError as error:
        logging.getLogger("rankfold.api").error("%s is away", URL, exc_info=error)
    text = output.getvalue()
    assert "hunter2" not in text
    assert "s" * 43 not in text
    assert text.count("rankfold:***@127.0.0.1") >= 3
    assert "Traceback" in text


def test_json_is_one_object_a_line(configure: Configure) -> None:
    output = configure("json")
    structlog.get_logger().warning("lease lost", shard=3)
    (line,) = map(json.loads, output.getvalue().splitlines())
    assert (line["event"], line["level"], line["shard"]) == ("lease lost", "warning", 3)
    assert line["timestamp"]


def test_text_is_for_people(configure: Configure) -> None:
    output = configure("text")
    structlog.get_logger().warning("lease lost", shard=3)
    assert "lease lost" in output.getvalue()
    assert "shard=3" in output.getvalue()
