"""State and messages that were written before a field came still decode: a worker is updated while its topics stay."""

import base64

import msgspec
import pytest

from shelftalk.core.messages import Ask, Near, decode_message
from shelftalk.core.profile import Focus, Profile, Seen
from shelftalk.core.state import LiveCard, Neighbour, Shelf
from shelftalk.core.taste import NO_TASTE
from tests.core.making import NOW

#: As version 2a98996 wrote them.
PROFILE = (
    "jKhyZXZpc2lvbs8ABoxhcUAAAKpzZXNzaW9uX2lko3YtMaxsYXN0X3NlZW5fbXPPAAABoxhcUACmbG9jYWxlpWVuLUdCpnJlY2VudJGSqGtldHRsZS0xzwAA"
    "AaMYXFAApGNhcnSRkqV0aW4tMc8AAAGjGFxQAKZib3VnaHSRkqVtdWctMc8AAAGjGFxP96ZicmFuZHORk6dIYXJib3Vyy0AAAAAAAAAAzwAAAaMYXFAApnNw"
    "b2tlbpGTzwAAAaMYXFAAB88ABoxhcUAAAKZwbGFjZWSRlKZuZXh0XzGoa2V0dGxlLTHPAAaMYXFAAACgpmV2ZW50c8QGMTIzNDU2pm5ld2VzdIWldG9waWOp"
    "YmVoYXZpb3VyqXBhcnRpdGlvbgCmb2Zmc2V0B6hldmVudF9pZKNiLTeub2NjdXJyZWRfYXRfbXPPAAABoxhcUAA="
)
SHELF = (
    "hKVmYWN0c94ABqNza3Woa2V0dGxlLTGndmVyc2lvbgKkbmFtZa5IYXJib3VyIEtldHRsZahjdXJyZW5jeaNHQlClc3RvY2sDpnByaWNlc5GTzwAAAaMYXFAA"
    "zQ+gwKpuZWlnaGJvdXJzkZSldGluLTHLQAAAAAAAAADLP/AAAAAAAADPAAABoxhcUACkaGVhdMs/8AAAAAAAAKpoZWF0X2F0X21zzwAAAaMYXFAA"
)
LIVE = (
    "3gAJqGF1ZGllbmNlkqNhZGGmbmV4dF8xpXN0YWdlpXNob3durmFza2VkX3JldmlzaW9uAahyZXZpc2lvbgKmb3JpZ2luhaV0b3BpY6liZWhhdmlvdXKpcGFy"
    "dGl0aW9uAKZvZmZzZXQHqGV2ZW50X2lko2ItN65vY2N1cnJlZF9hdF9tc88AAAGjGFxQAKZsb2NhbGWlZW4tR0KudmFsaWRfdW50aWxfbXPPAAABoxhcUACn"
    "c2xvdHRlZKd7bmFtZX0upmJyYW5kc5GnSGFyYm91cg=="
)
ASK = (
    b'{"type":"ask","key":"k","shopper_id":"ada","placements":["next_1"],"revision":1,"mode":"next","because":"like_viewed",'
    b'"locale":"en-GB","origin":{"topic":"behaviour","partition":0,"offset":7,"event_id":"b-7","occurred_at_ms":1800000000000},'
    b'"brands":["Harbour"],"found":[["tin-1",1.0]]}'
)


def old(row: str, kind: type[msgspec.Struct]) -> msgspec.Struct:
    return msgspec.msgpack.decode(base64.b64decode(row), type=kind)


def test_a_profile() -> None:
    profile = old(PROFILE, Profile)
    assert isinstance(profile, Profile)
    assert profile.recent == (Seen("kettle-1", NOW),)
    assert (profile.categories, profile.searches, profile.earlier, profile.focus) == ((), (), (), Focus())


def test_a_shelf() -> None:
    shelf = old(SHELF, Shelf)
    assert isinstance(shelf, Shelf)
    assert shelf.neighbours == (Neighbour("tin-1", 2.0, 1.0, NOW),)


def test_a_live_card() -> None:
    card = old(LIVE, LiveCard)
    assert isinstance(card, LiveCard)
    assert (card.brands, card.taste) == (("Harbour",), NO_TASTE)


def test_an_ask() -> None:
    ask = decode_message(ASK)
    assert isinstance(ask, Ask)
    assert (ask.found, ask.taste) == ((Near("tin-1", 1.0),), NO_TASTE)


@pytest.mark.parametrize(("row", "kind"), [(PROFILE, Profile), (SHELF, Shelf), (LIVE, LiveCard)])
def test_what_is_written_now_reads_the_same(row: str, kind: type[msgspec.Struct]) -> None:
    again = msgspec.msgpack.encode(old(row, kind))
    assert msgspec.msgpack.decode(again, type=kind) == old(row, kind)
