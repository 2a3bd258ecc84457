"""The REES46 adapter, on files as they are and on files as they should not be."""

import gzip
import os
from collections import Counter
from collections.abc import Generator
from pathlib import Path

import pytest

from shelftalk.errors import ConfigError
from shelftalk.events.codec import decode_behaviour, decode_inventory, encode
from shelftalk.events.log_events import ASSUMED_STOCK, RESTOCK_AT, Facts, Tally
from shelftalk.events.rees46 import Rees46, read_rows
from shelftalk.events.rees46_names import kind_of, name_of, spell_brand
from shelftalk.events.types import (
    Behaviour,
    CartAdded,
    CartRemoved,
    Inventory,
    OrderCompleted,
    PriceChanged,
    ProductUpserted,
    ProductViewed,
    StockChanged,
)

DATA = Path(os.environ.get("SHELFTALK_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
HEADER = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
NOW_MS = 1_789_000_000_000


def row_line(
    kind: str = "view", sku: str = "1", code: str = "electronics.tablet", brand: str = "lg", price: str = "9.99"
) -> str:
    return f"2020-02-01 10:00:00 UTC,{kind},{sku},77,{code},{brand},{price},u1,s-1\n"


def write(folder: Path, *lines: str, header: str = HEADER) -> Path:
    file = folder / "log.csv"
    file.write_text(header + "".join(lines), encoding="utf-8")
    return file


def events_of(file: Path) -> tuple[list[Behaviour | Inventory], Rees46]:
    adapter = Rees46()
    found = [event for row in read_rows(file, adapter.tally) for event in adapter.events(row, NOW_MS)]
    for event in found:
        decoder = decode_inventory if isinstance(event, Inventory) else decode_behaviour
        assert decoder(encode(event), NOW_MS) == event
    return found, adapter


def test_each_type_becomes_its_event(tmp_path: Path) -> None:
    lines = [row_line(kind) for kind in ("view", "cart", "remove_from_cart", "purchase")]
    events, adapter = events_of(write(tmp_path, *lines))
    kinds = [type(event) for event in events]
    assert kinds == [ProductUpserted, ProductViewed, CartAdded, CartRemoved, OrderCompleted, StockChanged]
    product = events[0]
    assert isinstance(product, ProductUpserted)
    assert (product.name, product.brand, product.kind) == ("LG tablet", "LG", "tablet")
    assert (product.price_minor, product.currency, product.stock) == (999, "USD", ASSUMED_STOCK)
    assert len({event.event_id for event in events}) == len(events)
    assert adapter.tally == Tally(rows=4, products=1)


def test_a_price_that_moves_is_told_once(tmp_path: Path) -> None:
    prices = ["9.99", "9.99", "10.49", "10.49", "0.00", ""]
    events, _ = events_of(write(tmp_path, *(row_line(price=price) for price in prices)))
    moved = [event for event in events if isinstance(event, PriceChanged)]
    assert [(event.price_minor, event.currency) for event in moved] == [(1049, "USD")]


def test_the_assumed_stock_never_becomes_a_claim_of_scarcity(tmp_path: Path) -> None:
    events, _ = events_of(write(tmp_path, *[row_line("purchase")] * 100))
    stocks = [event.stock for event in events if isinstance(event, StockChanged)]
    assert len(stocks) == 100
    assert min(stocks) == RESTOCK_AT
    assert max(stocks) == ASSUMED_STOCK
    assert stocks[0] == ASSUMED_STOCK - 1


def test_products_without_name_or_price_get_no_facts(tmp_path: Path) -> None:
    lines = [
        row_line(sku="nameless", code="", brand=""),
        row_line(sku="nameless", code="", brand=""),
        row_line(sku="free", price="0.00"),
        row_line(sku="later", price="0.00"),
        row_line(sku="later", price="5"),
        row_line(sku="brand-only", code="", brand="sokolov"),
        row_line(sku="kind-only", brand=""),
        row_line("purchase", sku="nameless", code="", brand=""),
    ]
    events, adapter = events_of(write(tmp_path, *lines))
    named = {event.sku: (event.name, event.kind) for event in events if isinstance(event, ProductUpserted)}
    assert named == {
        "later": ("LG tablet", "tablet"),
        "brand-only": ("Sokolov", "product"),
        "kind-only": ("Tablet", "tablet"),
    }
    assert (adapter.tally.nameless, adapter.tally.priceless) == (1, 1)
    assert not any(isinstance(event, StockChanged) for event in events)
    assert sum(isinstance(event, Behaviour) for event in events) == 8


def test_broken_rows_are_counted_and_left_out(tmp_path: Path) -> None:
    good = row_line()
    lines = [
        good,
        "yesterday,view,1,77,a.b,lg,9.99,u1,s-1\n",
        row_line(kind="stare"),
        row_line(sku=""),
        row_line(sku="a b"),
        row_line(price="cheap"),
        row_line(price="-3"),
        row_line(price="NaN"),
        "2020-02-01 10:00:00 UTC,view,1\n",
        "\n",
        "\0\0\0\n",
        '2020-02-01 10:00:00,view,"2","77","a.cosmetic_bag","l""oréal, paris",1.50,u2,\n',
    ]
    events, adapter = events_of(write(tmp_path, *lines))
    assert adapter.tally.rows == 2
    assert adapter.tally.broken == Counter(
        {"event_time": 1, "event_type": 1, "product_id": 2, "price": 3, "user_id": 1}
    )
    last = next(event for event in events if isinstance(event, ProductUpserted) and event.sku == "2")
    assert (last.name, last.kind) == ('L"oréal, Paris cosmetic bag', "cosmetic bag")
    view = events[-1]
    assert isinstance(view, ProductViewed)
    assert view.session_id is None


def test_columns_are_found_by_name_and_gz_is_read(tmp_path: Path) -> None:
    header = "user_id,price,product_id,event_type,event_time\n"
    file = tmp_path / "2020-Jan.csv.gz"
    file.write_bytes(gzip.compress((header + "u9,1.25,5,view,2020-01-01 00:00:00 UTC\n").encode()))
    (row,) = read_rows(file, Tally())
    assert (row.user_id, row.price_minor, row.product_id, row.session) == ("u9", 125, "5", None)


def test_a_file_that_was_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    whole = gzip.compress((HEADER + "".join(row_line(sku=str(n * 7919)) for n in range(5000))).encode())
    file = tmp_path / "cut.csv.gz"
    file.write_bytes(whole[: len(whole) // 2])
    tally = Tally()
    assert len(list(read_rows(file, tally))) == tally.rows > 0
    assert tally.broken["file cut off"] == 1


@pytest.mark.parametrize("content", ["", "a,b,c\n1,2,3\n"])
def test_another_format_is_refused(tmp_path: Path, content: str) -> None:
    file = tmp_path / "other.csv"
    file.write_text(content)
    with pytest.raises(ConfigError, match="no REES46 log"):
        list(read_rows(file, Tally()))


def test_rows_are_streamed(tmp_path: Path) -> None:
    file = write(tmp_path, *(row_line(sku=str(n)) for n in range(100)))
    rows = read_rows(file, Tally())
    assert next(rows).product_id == "0"
    assert isinstance(rows, Generator)  # so no more is read than is asked for
    rows.close()


def test_others_may_name_the_products(tmp_path: Path) -> None:
    adapter = Rees46(lambda row: Facts(name=f"Thing {row.product_id}", category="things"))
    (row,) = read_rows(write(tmp_path, row_line(code="", brand="")), adapter.tally)
    product = next(adapter.events(row, NOW_MS))
    assert isinstance(product, ProductUpserted)
    assert (product.name, product.price_minor) == ("Thing 1", 999)


@pytest.mark.parametrize(
    ("brand", "spelt"),
    [
        ("samsung", "Samsung"),
        ("lg", "LG"),
        ("hp", "HP"),
        ("tcl", "TCL"),
        ("msi", "MSI"),
        ("asus", "ASUS"),
        ("lux", "Lux"),
        ("fly", "Fly"),
        ("eco", "Eco"),
        ("tp-link", "TP-Link"),
        ("oral-b", "Oral-B"),
        ("p.i.t.", "P.I.T."),
        ("sho-me", "SHO-Me"),
        ("grace face", "Grace Face"),
        ("iPhone", "iPhone"),
        ("karcher", "Kärcher"),
        ("oneplus", "OnePlus"),
    ],
)
def test_brands_are_spelt(brand: str, spelt: str) -> None:
    assert spell_brand(brand) == spelt


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("appliances.environment.water_heater", "water heater"),
        ("apparel.shoes.keds", "sneakers"),
        ("electronics.video.tv", "TV"),
        ("stationery.cartrige", "ink cartridge"),
        ("something.never_seen", "never seen"),
        ("2232732093077520756", None),
        ("...", None),
    ],
)
def test_kinds_are_read_from_codes(code: str, kind: str | None) -> None:
    assert kind_of(code) == kind


def test_names() -> None:
    assert name_of("Aqua", "water heater") == "Aqua water heater"
    assert name_of(None, "smartphone") == "Smartphone"
    assert name_of("Shiseido", None) == "Shiseido"
    assert name_of(None, None) is None


@pytest.mark.skipif(not DATA.is_dir(), reason="no real log here; SHELFTALK_DATA names the folder of the real data")
def test_the_real_log() -> None:
    events, adapter = events_of(DATA / "rees46" / "2019-Oct-head.csv")
    kinds = Counter(type(event) for event in events)
    assert adapter.tally.rows == 12_203
    assert not adapter.tally.broken
    assert (kinds[ProductViewed], kinds[CartAdded], kinds[OrderCompleted]) == (11_943, 113, 147)
    assert kinds[ProductUpserted] == adapter.tally.products > 4_000
    names = {event.name for event in events if isinstance(event, ProductUpserted)}
    assert {"Samsung smartphone", "Aqua water heater", "HP laptop", "Sofa"} <= names
