"""Public logs and the crowd, as recordings that the contract allows."""

import gzip
from pathlib import Path
from typing import Any

import orjson
import pytest

from shelftalk.errors import BadInputError, ConfigError
from shelftalk.events.codec import decode_behaviour, decode_inventory
from shelftalk.replay.importing import Format, Imported, import_demo, import_logs
from shelftalk.replay.recording import Recording

NOW_MS = 1_800_000_000_000

REES46 = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
UCI = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n"


def imported(
    folder: Path, text: str, kind: Format, name: str = "log", **more: Any
) -> tuple[Imported, list[dict[str, Any]]]:
    log = folder / name
    log.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    options = {"catalogue": None, "most": 1_000, "progress": lambda _: None} | more
    found = import_logs([log], kind, folder / f"{name}.parquet", **options)
    return found, events_of(folder / f"{name}.parquet")


def events_of(path: Path, *, poison: int = 0) -> list[dict[str, Any]]:
    """Every event of a recording, having passed the contract."""
    events, refused, before_ms = [], 0, 0
    for row in Recording(path).rows():
        assert row.timestamp_ms >= before_ms
        before_ms = row.timestamp_ms
        decode = decode_behaviour if row.topic == "behaviour" else decode_inventory
        try:
            event = decode(row.value, NOW_MS)
            assert (row.key or b"").decode() == getattr(event, "shopper_id" if row.topic == "behaviour" else "sku")
            events.append(orjson.loads(row.value or b""))
        except BadInputError:
            refused += 1
    assert refused <= poison
    return events


def types(events: list[dict[str, Any]]) -> list[str]:
    return [event["type"] for event in events]


def test_rees46(tmp_path: Path) -> None:
    rows = "".join(
        f"2019-10-01 00:0{n}:00 UTC,{kind},1,7,electronics.tablet,lg,{price},u1,s\n"
        for n, (kind, price) in enumerate([("view", 9.99), ("cart", 8.99), ("purchase", 8.99)])
    )
    found, events = imported(tmp_path, REES46 + "broken\n" + rows, Format.REES46, "log.csv.gz")
    assert types(events) == [
        *("product_upserted", "product_viewed", "price_changed", "cart_added", "order_completed", "stock_changed")
    ]
    assert (found.broken, found.products) == ({"event_time": 1}, 1)
    assert any("left out: event_time 1" in line for line in found.lines())


def test_uci_baskets_are_filled_before_they_are_paid(tmp_path: Path) -> None:
    rows = [
        "536365,85123A,WHITE HANGING HEART T-LIGHT HOLDER,6,2010-12-01 08:26:00,2.55,17850.0,United Kingdom",
        "536365,71053,CHILDREN'S LANTERN,2,2010-12-01 08:26:00,3.39,17850.0,United Kingdom",
        "536366,85123A,WHITE HANGING HEART T-LIGHT HOLDER,1,2010-12-01 08:30:00,2.95,,United Kingdom",
        "C536367,85123A,WHITE HANGING HEART T-LIGHT HOLDER,-1,2010-12-01 08:31:00,2.95,,United Kingdom",
        "536368,POST,POSTAGE,1,2010-12-01 08:31:00,18.00,12583.0,France",
        "536369,71053,damaged,1,2010-12-01 08:31:00,0,,United Kingdom",
        "536370,71053",
    ]
    found, events = imported(tmp_path, UCI + "\n".join(rows), Format.UCI)
    orders = [event for event in events if event["type"] == "order_completed"]
    assert [order["shopper_id"] for order in orders] == ["17850", "guest-536366"]
    assert [item["sku"] for item in orders[0]["items"]] == ["85123A", "71053"]
    assert [e["name"] for e in events if e["type"] == "product_upserted"] == [
        *("White Hanging Heart T-Light Holder", "Children's Lantern")
    ]
    assert [e["price_minor"] for e in events if e["type"] == "price_changed"] == [295]
    assert types(events).index("cart_added") < types(events).index("order_completed")
    assert found.broken == {"returned": 1, "no product": 2, "too short": 1}


def test_uci_times_may_be_written_by_month_and_day_but_not_by_who_knows_which(tmp_path: Path) -> None:
    rows = [
        "536365,85123A,CREAM CUPID HEARTS COAT HANGER,6,12/13/2010 8:26,2.55,17850,United Kingdom",
        "536366,85123A,CREAM CUPID HEARTS COAT HANGER,6,01/12/2010 08:26,2.55,17850,United Kingdom",
    ]
    found, events = imported(tmp_path, UCI + "\n".join(rows), Format.UCI)
    [order] = [event for event in events if event["type"] == "order_completed"]
    assert order["occurred_at_ms"] == 1_292_228_760_000
    assert found.broken == {"Quantity or InvoiceDate": 1}


def test_otto_borrows_what_it_does_not_know(tmp_path: Path) -> None:
    sessions = [
        {"session": 0, "events": [{"aid": 5, "ts": 1_000_000_001_000, "type": "clicks"}]},
        {
            "session": 1,
            "events": [{"aid": 5, "ts": 999_999_000_000, "type": "carts"}, {"aid": "x", "ts": 1, "type": "clicks"}],
        },
        {"session": 2, "events": [{"aid": 6, "ts": 1_000_000_000_000, "type": "orders"}, 3]},
    ]
    text = "\n".join(orjson.dumps(session).decode() for session in sessions) + '\n{"cut'
    found, events = imported(tmp_path, text, Format.OTTO, "log.jsonl")
    assert types(events) == [
        *("product_upserted", "cart_added", "product_upserted", "order_completed", "stock_changed", "product_viewed")
    ]
    assert {event["shopper_id"] for event in events if "shopper_id" in event} == {"otto-0", "otto-1", "otto-2"}
    assert found.broken == {"aid": 1, "event": 1, "session": 1}


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    for name, seed in (("a", 5), ("b", 5), ("c", 6)):
        import_demo(tmp_path / f"{name}.parquet", seed=seed, seconds=20, rate_per_s=25, catalogue=None)
    a, b, c = ((tmp_path / f"{name}.parquet").read_bytes() for name in "abc")
    assert a == b != c
    assert len(events_of(tmp_path / "a.parquet", poison=20)) > 300


@pytest.mark.parametrize(
    ("kind", "text", "says"),
    [
        (Format.REES46, "a,b\n1,2\n", "no REES46 log"),
        (Format.REES46, REES46 + "x\ny\n", r"no good row in it \(event_time 2\)"),
        (Format.UCI, "a,b\n1,2\n", "no Online Retail log"),
        (Format.OTTO, "not json\n", "no OTTO log"),
        (Format.OTTO, "", "no good row"),
    ],
)
def test_another_file_is_refused_and_nothing_is_written(tmp_path: Path, kind: Format, text: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        imported(tmp_path, text, kind)
    assert [path.name for path in tmp_path.iterdir()] == ["log"]


def test_a_gz_that_was_cut_off_gives_what_it_has(tmp_path: Path) -> None:
    row = "2019-10-01 00:00:00 UTC,view,1,7,electronics.tablet,lg,9.99,u{},s\n"
    whole = gzip.compress((REES46 + "".join(row.format(n) for n in range(20_000))).encode())
    log = tmp_path / "log.csv.gz"
    log.write_bytes(whole[: len(whole) // 2])
    found = import_logs(
        [log], Format.REES46, tmp_path / "r.parquet", catalogue=None, most=100_000, progress=lambda _: None
    )
    assert found.broken == {"file cut off": 1}
    assert 100 < Recording(tmp_path / "r.parquet").records < 20_000


def test_a_long_log_is_cut_and_says_so(tmp_path: Path) -> None:
    row = "2019-10-01 00:00:00 UTC,view,1,7,electronics.tablet,lg,9.99,u,s\n"
    found, events = imported(tmp_path, REES46 + row * 20, Format.REES46, most=10)
    assert len(events) == 10
    assert any("the log goes on" in line for line in found.lines())
