"""Tokens for SASL/OAUTHBEARER: the client credentials grant (RFC 6749, section 4.4), for both clients from one place."""

import asyncio
import base64
import json
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from functools import cache
from typing import Any, NamedTuple

from shelftalk.errors import BrokerError

#: A token is asked for anew when this share of its life is over, so that none expires in a client's hands.
_FRESH_SHARE = 0.8

#: Where the answer does not say how long its token lives (RFC 6749 only recommends it), it is trusted for this long.
_ASSUMED_LIFE_S = 300

_TIMEOUT_S = 10

#: No token is longer; what is may be anything but a token.
_MOST_BYTES = 64 * 1024


class Token(NamedTuple):
    """What a client shows to a broker.

    Attributes:
        expires_at_s: Unix time.
        renew_at_s: of `time.monotonic`.
    """

    value: str
    expires_at_s: float
    renew_at_s: float


def shown(url: str) -> str:
    """An endpoint for people's eyes: some take a key in the query, and nobody else is to read it."""
    parts = urllib.parse.urlsplit(url)
    return urllib.parse.urlunsplit(parts._replace(query="**********" if parts.query else "", fragment=""))


class TokenSource:
    """Asks the token endpoint, and keeps the answer while it is fresh. Any thread may call it.

    Args:
        url: of the endpoint.
        client_id: who we are there.
        secret: the proof.
        scope: what for; empty for what the endpoint gives by default.
    """

    def __init__(self, url: str, client_id: str, secret: str, scope: str) -> None:
        self._url, self._client_id, self._secret, self._scope = url, client_id, secret, scope
        self._lock = threading.Lock()
        self._token: Token | None = None

    def token(self) -> Token:
        """A token that is still good for a while.

        Raises:
            BrokerError: the endpoint cannot be reached, refuses us, or answers something else.
        """
        with self._lock:
            if self._token is None or time.monotonic() >= self._token.renew_at_s:
                self._token = self._fetch()
            return self._token

    def for_librdkafka(self, _config: str) -> tuple[str, float]:
        """Its ``oauth_cb``."""
        token = self.token()
        return token.value, token.expires_at_s

    def for_aiokafka(self) -> Any:
        """Its ``AbstractTokenProvider``."""
        from aiokafka.abc import AbstractTokenProvider  # noqa: PLC0415  slow to import, and `shelftalk config` needs it not

        source = self

        class Provider(AbstractTokenProvider):
            async def token(self) -> str:
                return (await asyncio.to_thread(source.token)).value

        return Provider()

    def _fetch(self) -> Token:
        form = {"grant_type": "client_credentials"} | ({"scope": self._scope} if self._scope else {})
        # RFC 6749, section 2.3.1: both are form-encoded before they are joined.
        user, password = (urllib.parse.quote_plus(text) for text in (self._client_id, self._secret))
        login = base64.b64encode(f"{user}:{password}".encode()).decode()
        request = urllib.request.Request(  # noqa: S310  the settings let only https through, and http on loopback
            self._url,
            urllib.parse.urlencode(form).encode(),
            {"Authorization": f"Basic {login}", "Accept": "application/json"},
        )
        try:
            with _opener.open(request, timeout=_TIMEOUT_S) as answer:
                return _token(answer.read(_MOST_BYTES))
        except urllib.error.HTTPError as error:
            raise BrokerError(
                f"kafka: {shown(self._url)} refuses a token to {self._client_id!r} (HTTP {error.code}); "
                "check kafka.sasl_username and kafka.sasl_password, which are the client's id and secret there"
            ) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            reason = getattr(error, "reason", None) or f"{type(error).__name__} in its answer"
            raise BrokerError(
                f"kafka: no token from {shown(self._url)}: {reason}; check kafka.oauth_token_url"
            ) from None


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The secret goes to the endpoint that was configured, and nowhere else."""

    def redirect_request(self, *_args: object) -> None:
        """None."""


_opener = urllib.request.build_opener(_NoRedirects)


def _token(raw: bytes) -> Token:
    answer = json.loads(raw)
    life_s = float(answer.get("expires_in", _ASSUMED_LIFE_S))
    return Token(str(answer["access_token"]), time.time() + life_s, time.monotonic() + _FRESH_SHARE * life_s)


@cache
def token_source(url: str, client_id: str, secret: str, scope: str) -> TokenSource:
    """One a login, so that the clients of a process share their tokens."""
    return TokenSource(url, client_id, secret, scope)
