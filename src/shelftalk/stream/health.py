"""A small web server of the worker's own: /metrics, /health/live, /health/ready.

Faust's would bind 0.0.0.0 and show all tables to whoever asks.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from shelftalk.errors import ConfigError
from shelftalk.stream.settings import Web


@dataclass(frozen=True, slots=True)
class Health:
    """The truth about a worker.

    Attributes:
        live: it makes sense to let it run on.
        ready: it has its partitions, their state is recovered, and it takes events.
        detail: for a person.
    """

    live: bool
    ready: bool
    detail: dict[str, Any]


class HealthServer:
    """Serves until `close`."""

    def __init__(self, settings: Web, health: Callable[[], Health], registry: CollectorRegistry) -> None:
        self._settings = settings
        self._health = health
        self._registry = registry
        self._runner: web.AppRunner | None = None
        self.port: int | None = None

    async def start(self) -> None:
        """Bind.

        Raises:
            ConfigError: the address cannot be bound.
        """
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/health/live", self._live)
        app.router.add_get("/health/ready", self._ready)
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)
        await self._runner.setup()
        site = web.TCPSite(self._runner, self._settings.host, self._settings.port)
        try:
            await site.start()
        except OSError as error:
            await self.close()
            where = f"{self._settings.host}:{self._settings.port}"
            raise ConfigError(
                f"web: cannot bind {where} ({error.strerror}); set another web.port, or 0 for a free one"
            ) from error
        self.port = int(self._runner.addresses[0][1])

    async def close(self) -> None:
        """Stop serving."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def _metrics(self, _request: web.Request) -> web.Response:
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _live(self, _request: web.Request) -> web.Response:
        health = self._health()
        return web.json_response(health.detail, status=200 if health.live else 503)

    async def _ready(self, _request: web.Request) -> web.Response:
        health = self._health()
        return web.json_response(health.detail, status=200 if health.ready else 503)
