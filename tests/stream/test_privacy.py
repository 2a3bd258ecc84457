"""The log names no shopper and shows no secret, whatever goes wrong."""

import io
import json
import logging
from collections.abc import Iterator
from typing import Any, Literal

import pytest
import structlog
from confluent_kafka import KafkaError
from faust.types import TP

from shelftalk.core.ledger import Ledger
from shelftalk.core.pseudonym import Pseudonyms
from shelftalk.errors import BadInputError, ConfigError, RetryableError
from shelftalk.events.codec import decode_behaviour
from shelftalk.stream.intake import Intake
from shelftalk.stream.logs import set_up_logging
from shelftalk.stream.privacy import shoppers_in, speaking_of
from shelftalk.stream.record import Record, require_key
from shelftalk.stream.settings import Log, Retry, load

SHOPPER = "canary-ada-lovelace"
PSEUDONYMS = Pseudonyms(b"key")


def record(value: bytes = b'{"shopper_id": "canary-ada-lovelace"}') -> Record:
    return Record("shelftalk.behaviour", 0, 7, SHOPPER.encode(), value)


@pytest.fixture(params=["json", "console"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    form: Literal["json", "console"] = request.param
    root, stream = logging.getLogger(), io.StringIO()
    handlers, level = root.handlers[:], root.level
    set_up_logging(Log(form=form), PSEUDONYMS, stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Letters:
    """Takes dead letters, and is no part of what is tested."""

    def publish(self, letter: Any, entry: Any) -> None:
        structlog.get_logger("letters").warning("dead letter", detail=letter.detail)
        entry.done()


async def fail(error: Exception) -> None:
    """One event whose handler raises, through the real intake."""

    async def raising(taken: Record, _entry: Any) -> None:
        password = "canary-password"  # noqa: S105, F841  a local variable, which a pretty traceback would print
        if taken.value:
            raise error

    ledger: Ledger[TP] = Ledger(8)
    tp = TP("shelftalk.behaviour", 0)
    ledger.expect(tp, 7)
    entry = ledger.open(tp, 7)
    assert entry is not None
    intake = Intake(ledger, Any, Letters(), Retry(attempts=2, first_backoff_ms=1), lambda _: None)  # type: ignore[arg-type]
    await intake._handle("react", record(), entry, raising)


@pytest.mark.parametrize(
    "error",
    [
        KeyError(f"{SHOPPER}|next_1"),
        ValueError(f"cannot fold {SHOPPER}"),
        BadInputError("schema", f"shopper_id: {SHOPPER!r} is too odd"),
        RetryableError(f"{SHOPPER} must wait"),
    ],
)
async def test_an_error_that_quotes_the_shopper_is_logged_under_the_pseudonym(
    lines: io.StringIO, error: Exception
) -> None:
    await fail(error)
    said = lines.getvalue()
    assert "canary" not in said
    assert PSEUDONYMS.of(SHOPPER) in said


def test_outside_of_any_record_an_audience_is_still_known_by_its_form(lines: io.StringIO) -> None:
    try:
        dict[str, int]()[f"sku-1\x1f{SHOPPER}|next_1"]
    except KeyError:
        structlog.get_logger("x").exception("the keeper failed", key=f"{SHOPPER}|next_1")
    logging.getLogger("faust").error("unexpected %s", f"{SHOPPER}|next_1")
    assert "canary" not in lines.getvalue()
    assert f"{PSEUDONYMS.of(SHOPPER)}|next_1" in lines.getvalue()


def test_nested_lines_are_about_both_records(lines: io.StringIO) -> None:
    other = record(b'{"shopper_id":"canary-b\\u00f6b","x":1')
    with speaking_of(record()), speaking_of(other):
        structlog.get_logger("x").warning(f"{SHOPPER} and canary-böb")
    assert "canary" not in lines.getvalue()
    structlog.get_logger("x").warning("ada is no secret")
    assert "ada is no secret" in lines.getvalue()


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, set()),
        (b"", set()),
        (b"[1]", set()),
        (b'{"shopper_id" :  "a\\"b"}', {'a"b'}),
        (b'{"shopper_id":"\xff\xfe"', {"\ufffd\ufffd"}),
        (b'{"type":"ask","shopper_id":"one","also":{"shopper_id":"two"}}', {"one", "two"}),
    ],
)
def test_shoppers_are_found_in_what_is_no_whole_event(value: bytes | None, found: set[str]) -> None:
    assert shoppers_in(Record("t", 0, 0, None, value)) == found


@pytest.mark.parametrize(
    "event",
    [
        {"shopper_id": f"{SHOPPER} "},
        {"shopper_id": {"name": SHOPPER}},
        {"session_id": f"{SHOPPER}|"},
        {"query": SHOPPER * 1000},
        {"type": SHOPPER * 10},
        {"occurred_at_ms": SHOPPER},
    ],
)
def test_the_reason_of_a_dead_letter_quotes_no_value(event: dict[str, Any]) -> None:
    whole = {
        "type": "products_searched",
        "event_id": "e",
        "occurred_at_ms": 1_700_000_000_000,
        "shopper_id": "s",
        "query": "x",
    }
    with pytest.raises(BadInputError) as caught:
        decode_behaviour(json.dumps(whole | event).encode(), 1_800_000_000_000)
    assert len(caught.value.detail) < 400
    if "type" not in event:  # a producer's own word for what it sends, cut short
        assert "canary" not in caught.value.detail


def test_a_wrong_key_is_not_quoted() -> None:
    with pytest.raises(BadInputError, match="key_mismatch") as caught:
        require_key(record(), "other")
    assert "canary" not in str(caught.value)


def test_a_short_key_for_pseudonyms_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigError, match="at least 32 characters") as caught:
        load(privacy={"pseudonym_key": "canary"})
    assert "canary" not in str(caught.value)


def test_pseudonyms_are_the_same_everywhere_with_a_key_and_nowhere_without() -> None:
    keyed = load(privacy={"pseudonym_key": "0123456789abcdef" * 4}).privacy
    assert keyed.pseudonyms().of("ada") == keyed.pseudonyms().of("ada")
    assert load().privacy.pseudonyms().of("ada") != load().privacy.pseudonyms().of("ada")


def test_librdkafka_errors_are_text(lines: io.StringIO) -> None:
    logging.getLogger("librdkafka").error("FAIL", extra={"error": KafkaError(KafkaError._SSL)})
    assert "FAIL" in lines.getvalue()
