"""Structlog owns all logging: ours, Faust's, aiokafka's and librdkafka's, as JSON lines or for a person's eyes."""

import logging
import sys
from typing import TextIO

import structlog

from shelftalk.core.pseudonym import Pseudonyms
from shelftalk.stream.privacy import Scrubber
from shelftalk.stream.settings import Log

#: They tell their whole life at INFO, in tables.
_CHATTY = ("faust", "mode", "aiokafka", "librdkafka", "asyncio", "aiohttp", "kafka")


def set_up_logging(settings: Log, pseudonyms: Pseudonyms, stream: TextIO = sys.stderr) -> None:
    """Send everything to one stream. Standard output is not touched: it belongs to whoever runs us.

    Args:
        settings: how it looks.
        pseudonyms: what shoppers are called.
        stream: where it goes.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    # Tracebacks as plain text: structlog's pretty ones print every local variable, passwords and shoppers' ids among them.
    last: list[structlog.typing.Processor] = [structlog.processors.format_exc_info, Scrubber(pseudonyms)]
    if settings.form == "json":
        last.append(structlog.processors.JSONRenderer())
    else:
        plain = structlog.dev.plain_traceback
        last.append(structlog.dev.ConsoleRenderer(colors=stream.isatty(), exception_formatter=plain))
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(settings.level)
    chatty = logging.DEBUG if settings.level == "DEBUG" else logging.WARNING
    for name in _CHATTY:
        logging.getLogger(name).setLevel(chatty)
    # It writes every request out, the login of SASL/PLAIN among them (seen in aiokafka 0.14.0).
    logging.getLogger("aiokafka.conn").setLevel(logging.INFO if chatty == logging.DEBUG else chatty)
