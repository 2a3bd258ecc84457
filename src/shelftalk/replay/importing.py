"""Public logs and the demo's crowd, made into recordings.

Every log is first turned into the project's own events (`shelftalk.events`), then into records, in order of time. A log that is not
in that order is sorted in memory, of which `MAX_EVENTS` is the bound.
"""

import enum
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import islice, takewhile
from pathlib import Path
from threading import Event

from shelftalk.demo.catalogue import Product, load_catalogue, load_demo_store, load_searches
from shelftalk.demo.crowd import Crowd
from shelftalk.demo.mapping import Mapping, facts_of
from shelftalk.errors import ConfigError
from shelftalk.events import online_retail, otto, rees46
from shelftalk.events.codec import encode
from shelftalk.events.log_events import Facts, LogEvents, Row, Tally
from shelftalk.events.types import Behaviour, Inventory
from shelftalk.replay.progress import Interrupted
from shelftalk.replay.recording import About, Recorded, Writer

#: Events of a log that are taken at most where nothing is said: some 2 GB of memory while they are sorted.
MAX_EVENTS = 2_000_000

#: When the demo's crowd comes in a recording. Fixed, so that the same seed gives the same file: Monday, 5 January 2026, 09:00 UTC.
DEMO_START_MS = 1_767_603_600_000

Progress = Callable[[int], None]
Timed = tuple[int, Behaviour | Inventory]


class Format(enum.StrEnum):
    """Where recordings can be made from."""

    REES46 = "rees46"
    OTTO = "otto"
    UCI = "uci"
    DEMO = "demo"


@dataclass
class Imported:
    """What became of a log.

    Attributes:
        events: records written, by stream.
        broken: rows that were left out, and why.
        cut: whether the log goes on after the last event taken.
        backwards: events whose time lay before the one read before them.
        interrupted: whether it was ended before its time, with what there was.
    """

    events: Counter[str] = field(default_factory=Counter)
    products: int = 0
    broken: Counter[str] = field(default_factory=Counter)
    cut: bool = False
    backwards: int = 0
    interrupted: bool = False

    def lines(self) -> list[str]:
        """To read."""
        total = sum(self.events.values())
        said = [
            f"{total:,} records: {self.events['behaviour']:,} of shoppers, {self.events['inventory']:,} of products"
        ]
        if self.interrupted:
            said.append("interrupted: the recording is whole, and ends where reading ended")
        elif self.cut:
            said.append(f"the log goes on; {total:,} records were asked for")
        if self.broken:
            said.append("left out: " + ", ".join(f"{why} {count:,}" for why, count in self.broken.most_common()))
        if self.backwards:
            said.append(f"{self.backwards:,} events were not in order of time and were sorted")
        return said


def import_logs(
    files: Sequence[Path],
    kind: Format,
    out: Path,
    *,
    catalogue: Path | None,
    most: int,
    progress: Progress,
    stop: Event | None = None,
) -> Imported:
    """Make a recording of log files.

    Args:
        files: read one after the other, as one log.
        kind: which log it is.
        out: a ``.parquet`` file, or a folder.
        catalogue: products that the log is told in; REES46 and UCI name their own where there is none, OTTO borrows from the demo
            store.
        most: events that are taken.
        progress: told now and then how many events there are.
        stop: ends the reading; what was read is written.

    Raises:
        Interrupted: it was ended before there was anything to write.
        ConfigError: a file cannot be read, or holds no event.
    """
    tally, stop = Tally(), stop or Event()
    products = None if catalogue is None else load_catalogue(catalogue).products
    events = _log_events(files, kind, tally, products, most=most, stop=stop)
    found = Imported()
    taken: list[Timed] = []
    for at_ms, event in events:
        if len(taken) >= most or stop.is_set():
            found.cut = True
            break
        found.backwards += bool(taken) and at_ms < taken[-1][0]
        taken.append((at_ms, event))
        if len(taken) % 10_000 == 0:
            progress(len(taken))
    found.broken, found.interrupted = tally.broken, stop.is_set()
    if not taken and stop.is_set():
        raise Interrupted("ended before an event was read; nothing was written")
    if not taken:
        left_out = ", ".join(f"{why} {count:,}" for why, count in tally.broken.items())
        raise ConfigError(f"{', '.join(map(str, files))}: no good row in it{f' ({left_out})' if left_out else ''}")
    taken.sort(key=lambda timed: timed[0])  # stable: what the log has at one moment stays in its order
    _write((_record(at_ms, event) for at_ms, event in taken), kind, out, found)
    return found


def import_demo(
    out: Path, *, seed: int, seconds: float, rate_per_s: float, catalogue: Path | None, stop: Event | None = None
) -> Imported:
    """Make a recording of the demo's crowd: the same seed gives the same file, byte for byte, unless `stop` ends it early.

    Raises:
        ConfigError: the catalogue cannot be read.
    """
    stop = stop or Event()
    products: Sequence[Product] = (
        load_demo_store().products if catalogue is None else load_catalogue(catalogue).products
    )
    searches = load_searches() if catalogue is None else {}
    crowd = Crowd(products, searches, seed, rate_per_s, DEMO_START_MS)
    until_ms = DEMO_START_MS + round(seconds * 1000)
    records = (
        Recorded(record.stream, 0, 0, record.due_ms, record.key.encode(), record.value)
        for record in takewhile(lambda record: record.due_ms <= until_ms and not stop.is_set(), crowd)
    )
    found = Imported()
    _write(records, Format.DEMO, out, found)
    found.interrupted = stop.is_set()
    return found


def _log_events(
    files: Sequence[Path],
    kind: Format,
    tally: Tally,
    products: Sequence[Product] | None,
    *,
    most: int,
    stop: Event,
) -> Iterator[Timed]:
    rows: Iterable[Row]
    match kind:
        case Format.REES46:
            adapter: LogEvents = rees46.Rees46(rees46.describe if products is None else Mapping(products))
            rows = (row for file in files for row in rees46.read_rows(file, tally))
        case Format.OTTO:
            lender = _Lender(products or load_demo_store().products)
            adapter = LogEvents("otto", lender.currency, lender.describe)
            unsorted = (row for file in files for row in otto.read_rows(file, tally, lender.price_minor))
            # A session a line: what is known of a product when depends on the order of all of them.
            read = takewhile(lambda _: not stop.is_set(), islice(unsorted, most))
            rows = sorted(read, key=lambda row: row.at_ms)
        case Format.UCI:
            shop = online_retail.OnlineRetail()
            for file in files:
                for invoice in online_retail.read_invoices(file, tally):
                    yield from ((event.occurred_at_ms, event) for event in shop.invoice(invoice))
            return
        case Format.DEMO:
            raise ConfigError("the demo's crowd is no file; give --seed and --seconds instead")
    for row in rows:
        yield from ((row.at_ms, event) for event in adapter.events(row, row.at_ms))


class _Lender:
    """Lends the facts of a catalogue's product to an article that has none, always the same one.

    Args:
        products: the catalogue.
    """

    def __init__(self, products: Sequence[Product]) -> None:
        self._products = products
        self.currency = products[0].currency

    def price_minor(self, article: str) -> int:
        """What it costs."""
        return self._product(article).price_minor

    def describe(self, row: Row) -> Facts:
        """What there is to say about it."""
        return facts_of(self._product(row.product_id))

    def _product(self, article: str) -> Product:
        return self._products[int.from_bytes(blake2b(article.encode(), digest_size=4).digest()) % len(self._products)]


def _record(at_ms: int, event: Behaviour | Inventory) -> Recorded:
    if isinstance(event, Inventory):
        return Recorded("inventory", 0, 0, at_ms, event.sku.encode(), encode(event))
    return Recorded("behaviour", 0, 0, at_ms, event.shopper_id.encode(), encode(event))


def _write(records: Iterable[Recorded], kind: Format, out: Path, found: Imported) -> None:
    about = About(source=kind, streams={"behaviour": "behaviour", "inventory": "inventory"})
    skus = set()
    with Writer(out, about) as writer:
        for record in records:
            offset = found.events[record.topic]
            found.events[record.topic] += 1
            writer.add(Recorded(record.topic, 0, offset, record.timestamp_ms, record.key, record.value))
            if record.topic == "inventory":
                skus.add(record.key)
    found.products = len(skus)
