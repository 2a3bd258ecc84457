"""The shoppers: they come, look for something, look at things, put them into the cart, and sometimes buy."""

import enum
from collections.abc import Iterator

import msgspec

from shelftalk.demo.dice import Dice
from shelftalk.demo.stage import Process, Stage
from shelftalk.demo.store import Item, Store
from shelftalk.events.types import (
    Behaviour,
    CartAdded,
    CartRemoved,
    OrderCompleted,
    OrderItem,
    ProductsSearched,
    ProductViewed,
    ShopperErased,
)

#: Behaviour events of a visit on average; measured, `tests/demo/test_crowd.py` holds the rate against it.
EVENTS_PER_VISIT = 5.7

#: Pause between two steps of a visit: the median, and the spread of its logarithm. Shorter than people's, so that a visit
#: fits into a demo of a minute; longer than the policy's debounce, so that most steps are answered.
THINK_MS, THINK_SPREAD = 3_000, 0.6

#: Visits that go on when the demo starts last as long as the rest of a visit on average.
MEAN_VISIT_MS = EVENTS_PER_VISIT * THINK_MS * 1.2

LOCALES = {"en-GB": 0.62, "en-US": 0.30, "zh-CN": 0.08}

#: How often a visit is that of somebody who was here before.
RETURNING = 0.3

#: How often the shop sends along what its own recommender would show next.
WITH_CANDIDATES = 0.2

#: How often somebody asks to be forgotten at the end of a visit.
ERASED = 0.01

MAX_RESULTS = 6


class Intent(enum.StrEnum):
    """What a visit is for."""

    MISSION = "mission"
    GIFT = "gift"
    BROWSE = "browse"
    REFILL = "refill"


INTENTS = {Intent.MISSION: 0.4, Intent.GIFT: 0.15, Intent.BROWSE: 0.33, Intent.REFILL: 0.12}


class Shopper(msgspec.Struct, frozen=True):
    """Somebody with a pseudonym and a language."""

    shopper_id: str
    locale: str


class Shoppers:
    """Where visits come from.

    Args:
        stage: where they act.
        store: what they find there.
        dice: their whims.
        rate_per_s: behaviour events a second, on average.
    """

    def __init__(self, stage: Stage, store: Store, dice: Dice, rate_per_s: float) -> None:
        self._stage, self._store, self._dice = stage, store, dice
        self._visits_per_ms = rate_per_s / EVENTS_PER_VISIT / 1000
        self._away: list[Shopper] = []
        self._count = 0
        self._branches: dict[str, Store] = {}

    def arrivals(self) -> Process:
        """Visits begin at random, independent of each other (a Poisson process)."""
        for _ in range(round(self._visits_per_ms * MEAN_VISIT_MS)):
            # They were here before we looked: the rest of a visit, begun within one pause.
            steps = self._dice.randint(1, round(EVENTS_PER_VISIT))
            self._stage.start(_shortened(self._visit(), steps), self._dice.uniform(0, THINK_MS))
        while True:
            yield self._dice.expovariate(self._visits_per_ms)
            self._stage.start(self._visit())

    def _shopper(self) -> Shopper:
        if self._away and self._dice.chance(RETURNING):
            return self._away.pop(self._dice.randrange(len(self._away)))
        self._count += 1
        locale = self._dice.choices(list(LOCALES), list(LOCALES.values()))[0]
        return Shopper(f"s{self._count:04d}-{self._dice.getrandbits(32):08x}", locale)

    def _branch(self, locale: str) -> Store:
        if locale not in self._branches:
            self._branches[locale] = self._store.branch(locale)
        return self._branches[locale]

    def _visit(self) -> Process:
        shopper = self._shopper()
        visit = Visit(self._stage, self._branch(shopper.locale), self._dice, shopper)
        intent = self._dice.choices(list(INTENTS), list(INTENTS.values()))[0]
        for _ in visit.steps(intent):
            yield self._dice.lognormvariate(0, THINK_SPREAD) * THINK_MS
        if self._dice.chance(ERASED):
            visit.erase()
        else:
            self._away.append(shopper)


def _shortened(process: Process, steps: int) -> Process:
    for _, wait_ms in zip(range(steps), process, strict=False):
        yield wait_ms


class Visit:
    """One visit of one shopper. Its methods act at once; `steps` strings them together."""

    def __init__(self, stage: Stage, store: Store, dice: Dice, shopper: Shopper) -> None:
        self._stage, self._store, self._dice, self._shopper = stage, store, dice, shopper
        self._session_id = f"v-{dice.getrandbits(40):010x}"
        self._viewed: list[Item] = []
        self._cart: list[Item] = []

    def steps(self, intent: Intent) -> Iterator[None]:
        """The steps of a visit, each after a pause; nothing is decided before its turn."""
        match intent:
            case Intent.MISSION:
                yield from self._mission()
            case Intent.GIFT:
                yield from self._gift()
            case Intent.BROWSE:
                yield from self._browse(self._dice.randint(3, 10), cart=0.08)
            case Intent.REFILL:
                yield from self._refill()

    def erase(self) -> None:
        """Ask to be forgotten."""
        self._emit(ShopperErased, locale=None)

    def _mission(self) -> Iterator[None]:
        """One kind of thing, compared with others, and bought if it convinces."""
        category = self._store.category(self._dice)
        found = self._search(category) if self._dice.chance(0.6) else []
        if found:
            yield
        goal = self._store.pick(self._dice, found or self._store.categories[category])
        for _ in range(self._dice.randint(2, 6)):
            if goal is None:
                return
            yield from self._look(goal)
            goal = self._next(goal, within=category)
        if self._viewed and self._dice.chance(0.5):
            yield from self._take(self._favourite())
            yield from self._checkout(0.55)

    def _gift(self) -> Iterator[None]:
        """Something for somebody else: two departments, one thing."""
        for _ in range(2):
            category = self._store.category(self._dice)
            found = self._search(category)
            if found:
                yield
            for _ in range(self._dice.randint(1, 3)):
                item = self._store.pick(self._dice, found or None)
                if item is not None:
                    yield from self._look(item)
        if self._viewed and self._dice.chance(0.6):
            yield from self._take(self._favourite())
            yield from self._checkout(0.7)

    def _browse(self, views: int, cart: float) -> Iterator[None]:
        """From one thing to the next."""
        item = self._store.pick(self._dice)
        for _ in range(views):
            if item is None:
                return
            yield from self._look(item)
            if self._dice.chance(cart):
                yield from self._take(item)
            item = self._next(item, within=None)
        yield from self._checkout(0.25)

    def _refill(self) -> Iterator[None]:
        """Something that ran out: straight to it, and one more thing along the way."""
        consumables = [item for item in self._store.listed() if item.product.consumable]
        item = self._store.pick(self._dice, consumables or None)
        if item is None:
            return
        yield from self._look(item)
        yield from self._take(item)
        yield from self._browse(self._dice.randint(0, 2), cart=0.3)
        yield from self._checkout(0.8)

    def _next(self, item: Item, within: str | None) -> Item | None:
        """Where a shopper goes from a product: to what goes with it, to its like, back, or anywhere."""
        companions = self._store.listed(self._store.items[sku] for sku in item.companions)
        if companions and self._dice.chance(0.45):
            # The first companion is the likeliest.
            return companions[min(int(self._dice.expovariate(1.2)), len(companions) - 1)]
        if self._dice.chance(0.75):
            return self._store.pick(self._dice, self._store.categories[within or item.product.category])
        if len(self._viewed) > 1 and self._dice.chance(0.5):
            return self._dice.choice(self._viewed[:-1])
        return self._store.pick(self._dice)

    def _favourite(self) -> Item:
        return self._dice.choice(self._viewed[-3:])

    def _search(self, category: str) -> list[Item]:
        query = self._store.query(self._dice, category)
        found = self._store.search(query, category, MAX_RESULTS)
        self._emit(ProductsSearched, query=query, category=category, results=tuple(item.sku for item in found))
        return found

    def _look(self, item: Item) -> Iterator[None]:
        self._viewed.append(item)
        candidates: tuple[str, ...] = ()
        if self._dice.chance(WITH_CANDIDATES):
            candidates = tuple(sku for sku in item.companions if self._store.items[sku].listed)
        self._emit(ProductViewed, sku=item.sku, candidates=candidates, **_told(item))
        yield

    def _take(self, item: Item) -> Iterator[None]:
        if item.listed and item.stock > 0 and item not in self._cart:
            self._cart.append(item)
            self._emit(CartAdded, sku=item.sku, **_told(item))
            yield

    def _checkout(self, chance: float) -> Iterator[None]:
        """Buy what is in the cart; some take something out first, some leave it all behind."""
        if self._cart and self._dice.chance(0.12 if len(self._cart) == 1 else 0.4):
            item = self._cart.pop(self._dice.randrange(len(self._cart)))
            self._emit(CartRemoved, sku=item.sku)
            yield
        bought = [item for item in self._cart if item.listed and item.stock > 0]
        if bought and self._dice.chance(chance):
            lines = [(item, min(item.stock, self._dice.choices((1, 2, 3), (8, 2, 1))[0])) for item in bought]
            self._emit(OrderCompleted, items=tuple(OrderItem(sku=item.sku, quantity=n) for item, n in lines))
            for item, quantity in lines:
                self._store.sold(item, quantity)
            self._cart.clear()
            yield

    def _emit(self, kind: type[Behaviour], **fields: object) -> None:
        common: dict[str, object] = {
            "event_id": self._stage.next_id(),
            "occurred_at_ms": self._stage.now_ms,
            "shopper_id": self._shopper.shopper_id,
            "session_id": self._session_id,
            "locale": self._shopper.locale,
        }
        self._stage.emit(kind(**(common | fields)))  # type: ignore[arg-type]


def _told(item: Item) -> dict[str, object]:
    """What the shop's page says of a product when a shopper does something with it."""
    product = item.product
    return {
        "brand": product.brand,
        "category": product.category,
        "price_minor": item.price_minor,
        "currency": product.currency,
    }
