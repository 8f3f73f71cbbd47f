"""Logging of the long-running commands: one line an event on stderr, for people on a terminal, JSON elsewhere.

RANKFOLD_LOG chooses the form. URLs in messages lose their passwords, and keys their secrets.
"""

import logging
import re
import sys
from typing import Literal

import structlog

Form = Literal["json", "text"]
_PASSWORD = re.compile(r"(\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+@")
_KEY = re.compile(r"(rfk_[0-9a-f]{16}_)[A-Za-z0-9_-]+")


def configure(form: Form | None = None, level: int = logging.INFO) -> None:
    """Sends structlog's and the standard library's messages the same way; without a form the terminal decides."""
    text = sys.stderr.isatty() if form is None else form == "text"
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_last(text)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for noisy in ("faststream", "asyncio", "aiohttp"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=True,
    )


def _last(text: bool) -> list[structlog.typing.Processor]:
    if text:
        console = structlog.dev.ConsoleRenderer(
            colors=sys.stderr.isatty(), pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
        )
        return [structlog.processors.format_exc_info, _without_secrets, console]
    return [structlog.processors.format_exc_info, _without_secrets, structlog.processors.JSONRenderer()]


def _without_secrets(_: object, __: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    """Hides what a library's message or a traceback may repeat of a URL or a request."""
    return {name: hidden(value) if isinstance(value, str) else value for name, value in event.items()}


def hidden(text: str) -> str:
    """A text without the passwords of URLs and the secrets of keys."""
    return _KEY.sub(r"\1***", _PASSWORD.sub(r"\1***@", text))
