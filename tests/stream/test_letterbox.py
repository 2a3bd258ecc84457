"""Words wait while the partitions that they are for may be another's."""

from typing import Any

from shelftalk.stream.letterbox import Letterbox


class Reader:
    def __init__(self) -> None:
        self.got: list[tuple[str, Any, int]] = []

    def words(self, words: Any, now_ms: int) -> None:
        self.got.append(("words", words, now_ms))

    def failed(self, brief: Any, now_ms: int) -> None:
        self.got.append(("failed", brief, now_ms))

    def later(self, brief: Any, now_ms: int) -> None:
        self.got.append(("later", brief, now_ms))


def test_what_comes_without_a_lease_waits_in_order_and_is_read_at_the_time_of_then() -> None:
    reader, lease = Reader(), [True]
    box = Letterbox(reader, lambda: lease[0])
    box.words("a", 1)  # type: ignore[arg-type]
    lease[0] = False
    box.failed("b", 2)  # type: ignore[arg-type]
    box.later("c", 3)  # type: ignore[arg-type]
    box.empty(4)
    assert reader.got == [("words", "a", 1)]
    lease[0] = True
    box.words("d", 5)  # type: ignore[arg-type]
    assert reader.got[1:] == [("failed", "b", 5), ("later", "c", 5), ("words", "d", 5)]


def test_a_lease_that_ends_between_two_letters_keeps_the_second() -> None:
    reader, left = Reader(), [False, False, True, False]
    box = Letterbox(reader, lambda: left.pop(0))
    box.failed("a", 1)  # type: ignore[arg-type]
    box.failed("b", 2)  # type: ignore[arg-type]
    box.empty(3)
    assert reader.got == [("failed", "a", 3)]
