"""A small web server of the worker's own: /metrics, /health/live, /health/ready.

Faust's would bind 0.0.0.0 and show all tables to whoever asks. Ours asks for a token. Only the health of a worker is answered
without one, in one word: the kubelet and load balancers have none to show, and whether a worker is up is no secret. Its figures
are: they tell how much a shop sells.
"""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from shelftalk.errors import ConfigError
from shelftalk.stream.login import is_loopback
from shelftalk.stream.settings import Web

#: What a request that is being answered gets when the worker ends.
_CLOSE_S: Final = 1.0


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
        # Nobody who asks for long keeps a worker from ending.
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=_CLOSE_S)
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

    async def _metrics(self, request: web.Request) -> web.Response:
        token = self._settings.token.get_secret_value()
        if not token and not is_loopback(self._settings.host):
            raise web.HTTPForbidden(
                text="metrics are served beyond loopback only to who shows a token: set web.token\n"
            )
        if not may_read(request, token):
            raise web.HTTPUnauthorized(
                text="show the token: Authorization: Bearer ...\n", headers={"WWW-Authenticate": "Bearer"}
            )
        return web.Response(body=generate_latest(self._registry), headers={"Content-Type": CONTENT_TYPE_LATEST})

    async def _live(self, request: web.Request) -> web.Response:
        health = self._health()
        return self._told(request, health, fine=health.live)

    async def _ready(self, request: web.Request) -> web.Response:
        health = self._health()
        return self._told(request, health, fine=health.ready)

    def _told(self, request: web.Request, health: Health, *, fine: bool) -> web.Response:
        """The detail is for who may read: an error may name hosts."""
        trusted = may_read(request, self._settings.token.get_secret_value()) and self._is_private
        detail = health.detail if trusted else {"state": health.detail["state"]}
        return web.json_response(detail, status=200 if fine else 503)

    @property
    def _is_private(self) -> bool:
        return bool(self._settings.token.get_secret_value()) or is_loopback(self._settings.host)


def may_read(request: web.Request, token: str) -> bool:
    """Whether a request shows the token; every request does where none is set. The comparison takes the same time for any guess."""
    shown = request.headers.get("Authorization", "")
    return not token or hmac.compare_digest(shown.encode(errors="surrogateescape"), f"Bearer {token}".encode())
