"""Structured logs without secrets: structlog on top of the standard library, one redaction for both.

JSON lines where several processes log to one place, readable lines on a terminal. Control characters are escaped, so
that a foreign name can't forge a line.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any

import structlog

REDACTED = "[redacted]"
SECRET_NAMES = re.compile(
    r"(?i)^(authorization|proxy-authorization|cookie|set-cookie|x-api-key|x-goog-api-key|api[-_]?key|password|secret|token|credential|pepper|seal[-_]?keys?)$"
)
SECRET_SHAPES = re.compile(
    r"ch_[0-9A-Za-z]{8}_[0-9A-Za-z_-]{8,}"  # our own keys
    r"|(?i:bearer|basic)\s+[0-9A-Za-z._~+/=-]{8,}"
    r"|\bsk-[0-9A-Za-z_-]{8,}|\bAIza[0-9A-Za-z_-]{20,}|\bgh[pousr]_[0-9A-Za-z]{20,}"
    r"|(?<=://)[^/@\s:]+:[^/@\s]+(?=@)"  # user:password@ in an address
)
CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f\x85\u2028\u2029]")

Event = MutableMapping[str, Any]


def redact_text(text: str) -> str:
    """`text` without anything that has the shape of a secret, and without control characters other than tab and newline."""
    return CONTROLS.sub(lambda match: f"\\x{ord(match[0]):02x}", SECRET_SHAPES.sub(REDACTED, text))


def redact(value: Any) -> Any:
    """The same for everything inside mappings and sequences; a value under a secret's name goes whole."""
    if isinstance(value, str):
        return redact_text(value)
    if isinstance(value, dict):
        return {name: REDACTED if SECRET_NAMES.match(str(name)) else redact(item) for name, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [redact(item) for item in value]
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return value


def redact_event(_logger: Any, _method: str, event: Event) -> Event:
    """structlog processor. Runs after the exception is formatted, so tracebacks are covered."""
    for name, value in event.items():
        if not name.startswith("_"):
            event[name] = REDACTED if SECRET_NAMES.match(name) else redact(value)
    return event


def logging_settings(*, level: str, as_json: bool) -> dict[str, Any]:
    """A `logging.config.dictConfig` for everything that logs in this process; also sets structlog up."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.PositionalArgumentsFormatter(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=False, exception_formatter=_plain)
    formatter = {
        "()": structlog.stdlib.ProcessorFormatter,
        "foreign_pre_chain": [*shared, structlog.stdlib.ExtraAdder()],
        "processors": [
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            redact_event,
            last,
        ],
    }
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"house": formatter},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "house"}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            # Every request of the control plane at INFO would drown what matters; Django's own errors still show.
            "daphne": {"level": "WARNING"},
            "django.channels.server": {"level": "WARNING"},
            "httpx": {"level": "WARNING"},
            "httpx2": {"level": "WARNING"},
            "kombu": {"level": "ERROR"},
            "mcp": {"level": "WARNING"},
            "celery": {"level": "WARNING"},
            "django.server": {"handlers": ["stderr"], "level": "WARNING", "propagate": False},
        },
    }


def _plain(stream: Any, exc_info: Any) -> None:
    """Tracebacks were already made text and redacted; the renderer must not print its own."""
