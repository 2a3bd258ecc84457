"""Dead letters that do not arrive: a loss, unless the event is another worker's by now."""

from typing import Any

from shelftalk.core.ledger import Ledger
from shelftalk.errors import BadInputError, CancelledRequestError, DeliveryError
from shelftalk.stream.dead_letters import DeadLetter, DeadLetters
from shelftalk.stream.outbox import OnOutcome, Receipt
from shelftalk.stream.record import Record


class Outbox:
    def __init__(self) -> None:
        self.settle: list[OnOutcome] = []

    def post(self, *_args: Any, on_outcome: OnOutcome, **_others: Any) -> None:
        self.settle.append(on_outcome)


class Rig:
    def __init__(self) -> None:
        self.outbox, self.fatal, self.ledger = Outbox(), list[Exception](), Ledger[str]()
        entry = self.ledger.open("p", 0)
        assert entry is not None
        letters = DeadLetters(self.outbox, "dead", self.fatal.append)  # type: ignore[arg-type]
        letter = DeadLetter.of(Record("t", 0, 0, b"k", b"v", (), 0), BadInputError("not_json", "at all"), 1)
        letters.publish(letter, entry)


def test_one_that_is_delivered_settles_its_event() -> None:
    rig = Rig()
    rig.outbox.settle[0](Receipt("dead", 0, 0))
    assert (rig.ledger.committable(), rig.fatal) == ({"p": 1}, [])


def test_one_that_is_not_stops_the_worker() -> None:
    rig = Rig()
    rig.outbox.settle[0](DeliveryError("gone"))
    assert rig.ledger.committable() == {}
    assert [type(error) for error in rig.fatal] == [DeliveryError]


def test_one_of_an_event_that_went_elsewhere_is_written_there() -> None:
    rig = Rig()
    rig.ledger.forget(["p"])
    rig.outbox.settle[0](CancelledRequestError("dropped"))
    assert rig.fatal == []
