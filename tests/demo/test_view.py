"""What is shown: paced, cut to the width, before and after where a price moved."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from shelftalk.demo.feed import CARD_EVERY_S, Feed
from shelftalk.demo.summary import Tally
from shelftalk.demo.view import LiveView, PlainView, Progress
from tests.demo.making import card, price, product, seen, view


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def test_events_are_told_with_names_and_price_moves() -> None:
    clock = Hands()
    feed = Feed(clock)
    told = []
    for record in (
        product(0, 0),
        view(0, 1),
        price(1, 2, 900),
        price(2, 3, -5),
        seen("inventory", 3, 4, {"type": "stock_changed", "sku": "LF-1", "stock": 0}, key="LF-1"),
        seen("behaviour", 1, 5, {"type": "shopper_sneezed"}, key="s9-x"),
        seen("behaviour", 2, 6, {"type": "order_completed", "items": [{"sku": "LF-1"}]}, key="s9-x"),
    ):
        clock.now_s += 10
        feed.note(record, None)
        told = feed.newest(10, 0)[0]
    assert told[::-1] == [
        "s1 views Trail Shoe",
        "Trail Shoe: £10.00 → £9.00",
        "Trail Shoe: a price of -5",
        "Trail Shoe is sold out",
        "s9 sends an unknown shopper_sneezed",
        "s9 buys Trail Shoe",
    ]


def test_what_is_no_json_is_told_too() -> None:
    clock = Hands()
    feed = Feed(clock)
    bad = seen("inventory", 0, 0, None, key="LF-1")
    feed.note(type(bad)(**({f: getattr(bad, f) for f in bad.__struct_fields__} | {"raw": b"{broken"})), None)
    assert feed.newest(1, 0)[0] == ["LF-1 sends what is no event: {broken"]


def test_cards_come_at_a_pace_that_can_be_read_but_a_moved_price_may_cut_in() -> None:
    clock = Hands()
    feed = Feed(clock)
    feed.note(card(0, 10, ("behaviour", 0)), 10)
    feed.note(card(1, 11, ("behaviour", 0)), 11)
    assert len(feed.newest(0, 9)[1]) == 1
    clock.now_s = CARD_EVERY_S * 0.6
    feed.note(card(2, 12, ("behaviour", 0)), 12)
    assert len(feed.newest(0, 9)[1]) == 1
    feed.note(card(3, 13, ("inventory", 0), trigger="facts", minor=800), 13)
    newest = feed.newest(0, 9)[1][0]
    assert (newest.price, newest.moved, newest.took) == ("£10.00 → £8.00", True, "13 ms")


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_the_screen_keeps_to_the_terminal(width: int) -> None:
    clock = Hands()
    feed, tally = Feed(clock), Tally()
    for record in [
        product(0, 0),
        *(view(n, n) for n in range(50)),
        *(card(n, 60 + n, ("behaviour", 0)) for n in range(50)),
    ]:
        clock.now_s += 10
        feed.note(record, tally.note(record))
    out = io.StringIO()
    console = Console(file=out, width=width, height=30, force_terminal=True, color_system=None)
    live = LiveView(console, tally, feed)
    live.close()
    out.truncate(0)
    console.print(live.render(Progress("playing", 12, 60)))
    shown = out.getvalue().strip("\x00\n").split("\n")
    assert len(shown) <= 30
    assert all(cell_len(line.rstrip()) <= min(width, 140) for line in shown)
    assert any("what goes in" in line and "which cards come out" in line for line in shown)
    assert any("Trail Shoe, it grips." in line for line in shown)
    assert "p50" in out.getvalue()


def test_without_a_terminal_there_are_lines() -> None:
    clock = Hands()
    feed, tally = Feed(clock), Tally()
    for record in (view(0, 0), card(0, 10, ("behaviour", 0))):
        feed.note(record, tally.note(record))
    said: list[str] = []
    plain = PlainView(said.append, tally, feed)
    plain.show(Progress("playing", 1, 60))
    plain.show(Progress("playing", 1, 60))  # too soon
    plain.close()
    assert said[0].startswith("playing 0:01/1:00")
    assert len(said) == 2
    assert "Trail Shoe, it grips." in said[1]
