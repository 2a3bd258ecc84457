"""The merchant: prices move, sales start and end, stock runs out and comes back, products come and go."""

from shelftalk.demo.dice import Dice
from shelftalk.demo.stage import Process, Stage
from shelftalk.demo.store import Item, Store
from shelftalk.events.types import Inventory, PriceChanged, ProductDelisted, StockChanged

SECOND_MS = 1000
DAY_MS = 86_400_000

#: How often an inventory event is sent twice, and how often it comes late: real shops do both.
DUPLICATE, LATE = 0.015, 0.02
MAX_LATE_MS = 3_000

#: The share of the catalogue that goes on sale only during the demo.
HELD_BACK = 0.03

#: Products that are taken off the shelf at most, as a share of the catalogue.
MAX_DELISTED = 0.03

#: What a merchant does, and how often in relation.
MOVES = {
    "sale": 26,
    "reprice": 20,
    "count": 34,
    "run_low": 8,
    "sell_out": 7,
    "storm": 3,
    "rewrite": 2,
    "release": 2,
    "delist": 2,
}

#: The first minute has one of each, whatever the dice say: what happens, and when.
SCENES = ((2.0, "sale"), (4.0, "sell_out"), (6.0, "run_low"), (8.0, "release"), (11.0, "storm"), (14.0, "delist"))

#: Stock at which the merchant orders more.
REORDER_AT = 2


class Merchant:
    """Whoever runs the store.

    Args:
        stage: where it acts.
        store: what it owns.
        dice: its whims.
        rate_per_s: moves a second, on average; sales bring further ones when they end.
    """

    def __init__(self, stage: Stage, store: Store, dice: Dice, rate_per_s: float) -> None:
        self._stage, self._store, self._dice = stage, store, dice
        self._rate_per_ms = rate_per_s / 1000
        self._delisted = 0
        items = list(store.items.values())
        self._unreleased = dice.sample(items, int(HELD_BACK * len(items)))
        store.on_sold = self._sold

    def open(self, step_ms: float) -> None:
        """Publish the catalogue, one product every `step_ms`."""
        for index, item in enumerate(self._store.items.values()):
            if item not in self._unreleased:
                at_ms = round(index * step_ms)
                event = item.product.upserted(self._stage.next_id(), self._stage.now_ms + at_ms)
                item.listed = True
                self._stage.emit(event, at_ms)

    def business(self) -> Process:
        """Moves at random moments, and the scenes that every demo shows."""
        for at_s, move in SCENES:
            self._stage.start(self._scene(move), at_s * SECOND_MS)
        while True:
            yield self._dice.expovariate(self._rate_per_ms)
            self._move(self._dice.choices(list(MOVES), list(MOVES.values()))[0])

    def _scene(self, move: str) -> Process:
        yield 1
        self._move(move)

    def _move(self, move: str) -> None:
        if move == "release":
            self._release()
            return
        among = [item for item in self._store.listed() if not item.busy and item.stock > 0]
        item = self._store.pick(self._dice, among)
        if item is None:
            return
        stories = {
            "sale": self._sale,
            "reprice": self._reprice,
            "count": self._count,
            "run_low": self._run_low,
            "sell_out": self._sell_out,
            "storm": self._storm,
            "rewrite": self._rewrite,
            "delist": self._delist,
        }
        self._stage.start(stories[move](item))

    def _sale(self, item: Item) -> Process:
        """Ten to forty per cent off. Most sales promise their end; the shop's own system keeps the promise a moment late."""
        item.busy = True
        percent = self._dice.choice((10, 15, 20, 20, 25, 30, 40))
        lasts_ms = round(self._dice.uniform(8, 40) * SECOND_MS)
        kind = self._dice.choices(("ends", "days", "open"), (5, 3, 2))[0]
        ends_ms = {"ends": lasts_ms, "days": self._dice.randint(1, 4) * DAY_MS}.get(kind)
        self._set_price(item, max(1, item.usual_minor * (100 - percent) // 100), ends_ms)
        yield lasts_ms + (self._dice.uniform(0, 400) if kind == "ends" else 0)
        if kind != "days" or self._dice.chance(0.2):
            self._set_price(item, item.usual_minor)
        item.busy = False

    def _reprice(self, item: Item) -> Process:
        factor = 1 + self._dice.choice((-1, 1)) * self._dice.uniform(0.02, 0.09)
        item.usual_minor = max(1, round(item.usual_minor * factor))
        self._set_price(item, item.usual_minor)
        yield from ()

    def _count(self, item: Item) -> Process:
        """Somebody counted, or a few came in."""
        self._set_stock(item, max(1, item.stock + self._dice.randint(-4, 8)))
        yield from ()

    def _rewrite(self, item: Item) -> Process:
        """The product's record is sent again, unchanged, as nightly jobs do."""
        self._upsert(item)
        yield from ()

    def _run_low(self, item: Item) -> Process:
        item.busy = True
        self._set_stock(item, self._dice.randint(2, 5))
        yield self._dice.uniform(12, 30) * SECOND_MS
        if item.stock > 0:
            self._set_stock(item, item.stock + self._dice.randint(10, 60))
        item.busy = False

    def _sell_out(self, item: Item) -> Process:
        item.busy = True
        self._set_stock(item, 0)
        yield self._dice.uniform(5, 18) * SECOND_MS
        self._set_stock(item, self._dice.randint(10, 60))
        item.busy = False

    def _storm(self, item: Item) -> Process:
        """A repricing robot that cannot make up its mind: many changes in a moment, of which only the last one counts."""
        item.busy = True
        for _ in range(self._dice.randint(5, 9)):
            self._set_price(item, max(1, round(item.usual_minor * self._dice.uniform(0.85, 1.1))))
            yield self._dice.uniform(10, 80)
        self._set_price(item, item.usual_minor)
        item.busy = False

    def _release(self) -> None:
        if self._unreleased:
            item = self._unreleased.pop()
            item.listed = True
            self._upsert(item, released_at_ms=self._stage.now_ms)

    def _delist(self, item: Item) -> Process:
        if self._delisted >= MAX_DELISTED * len(self._store.items):
            return
        self._delisted += 1
        item.listed = False
        self._send(ProductDelisted(event_id=self._stage.next_id(), occurred_at_ms=self._stage.now_ms, sku=item.sku))
        if self._dice.chance(0.5):
            yield self._dice.uniform(8, 20) * SECOND_MS
            item.listed = True
            self._upsert(item)

    def _sold(self, item: Item, quantity: int) -> None:
        """Fewer are left; the merchant orders more where it runs dry."""
        self._set_stock(item, item.stock - quantity, self._dice.uniform(20, 250))
        if item.stock <= REORDER_AT and not item.busy:
            self._stage.start(self._reorder(item))

    def _reorder(self, item: Item) -> Process:
        item.busy = True
        yield self._dice.uniform(6, 20) * SECOND_MS
        self._set_stock(item, item.stock + self._dice.randint(15, 60))
        item.busy = False

    def _upsert(self, item: Item, released_at_ms: int | None = None) -> None:
        event = item.product.upserted(
            self._stage.next_id(),
            self._stage.now_ms,
            price_minor=item.price_minor,
            stock=item.stock,
            released_at_ms=released_at_ms,
        )
        self._send(event)

    def _set_price(self, item: Item, price_minor: int, ends_ms: int | None = None) -> None:
        item.price_minor = price_minor
        now_ms = self._stage.now_ms
        event = PriceChanged(
            event_id=self._stage.next_id(),
            occurred_at_ms=now_ms,
            sku=item.sku,
            price_minor=price_minor,
            currency=item.product.currency,
            sale_ends_at_ms=None if ends_ms is None else now_ms + ends_ms,
        )
        self._send(event)

    def _set_stock(self, item: Item, stock: int, after_ms: float = 0) -> None:
        item.stock = stock
        event = StockChanged(
            event_id=self._stage.next_id(), occurred_at_ms=self._stage.now_ms, sku=item.sku, stock=stock
        )
        self._send(event, after_ms)

    def _send(self, event: Inventory, after_ms: float = 0) -> None:
        """As real shops send: now and then late, now and then twice."""
        if self._dice.chance(LATE):
            after_ms += self._dice.uniform(200, MAX_LATE_MS)
        self._stage.emit(event, after_ms)
        if self._dice.chance(DUPLICATE):
            self._stage.emit(event, after_ms + self._dice.uniform(50, 2_000))
