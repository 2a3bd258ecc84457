"""Who may read what of a worker's web server."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from prometheus_client import CollectorRegistry, Gauge

from shelftalk.stream.health import Health, HealthServer
from shelftalk.stream.settings import Web

Get = Callable[..., Awaitable[tuple[int, str]]]

OPEN: dict[str, str] = {}
KEYED = {"token": "s3cret"}
ALL_HOSTS = {"host": "0.0.0.0"}  # noqa: S104


@asynccontextmanager
async def served(**settings: Any) -> AsyncIterator[Get]:
    registry = CollectorRegistry()
    Gauge("sold", "Sold", registry=registry).set(7)
    detail = {"state": "running", "error": "no broker at kafka-1.internal"}
    server = HealthServer(Web(port=0, **settings), lambda: Health(True, False, detail), registry)
    await server.start()
    async with aiohttp.ClientSession() as session:

        async def get(path: str, **headers: str) -> tuple[int, str]:
            async with session.get(f"http://127.0.0.1:{server.port}{path}", headers=headers) as answer:
                return answer.status, await answer.text()

        yield get
    await server.close()


@pytest.mark.parametrize(
    ("settings", "shown", "status"),
    [
        (OPEN, None, 200),  # only this machine can ask
        (KEYED, None, 401),
        (KEYED, "Bearer wrong", 401),
        (KEYED, "Bearer s3cre", 401),
        (KEYED, "Bearer s3cret ", 200),  # blanks around a header's value are none of its own
        (KEYED, "s3cret", 401),
        (KEYED, "Bearer \udce9", 401),
        (KEYED, "Bearer s3cret", 200),
        (ALL_HOSTS, None, 403),
        (ALL_HOSTS, "Bearer ", 403),
        (ALL_HOSTS | KEYED, None, 401),
        (ALL_HOSTS | KEYED, "Bearer s3cret", 200),
    ],
)
async def test_metrics_are_for_who_shows_the_token(settings: dict[str, str], shown: str | None, status: int) -> None:
    async with served(**settings) as get:
        headers = {} if shown is None else {"Authorization": shown}
        found, text = await get("/metrics", **headers)
    assert found == status
    assert ("sold 7.0" in text) == (status == 200)
    assert "s3cret" not in text


@pytest.mark.parametrize("settings", [KEYED, ALL_HOSTS, ALL_HOSTS | KEYED])
async def test_health_is_told_to_anybody_in_a_word_and_in_full_to_who_may_read(settings: dict[str, str]) -> None:
    async with served(**settings) as get:
        assert (await get("/health/live")) == (200, '{"state": "running"}')
        assert (await get("/health/ready")) == (503, '{"state": "running"}')
        status, text = await get("/health/ready", Authorization="Bearer s3cret")
    assert status == 503
    assert ("kafka-1.internal" in text) == ("token" in settings)
