"""A log played now: in order, fitted into the seconds, and every product known before it is seen."""

import os
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest

from shelftalk.demo.catalogue import Product
from shelftalk.demo.log import LEAD_MS, Log, plan_log
from shelftalk.demo.mapping import Mapping
from shelftalk.demo.plan import Planned
from shelftalk.errors import ConfigError
from shelftalk.events.log_events import Row
from shelftalk.events.types import Behaviour, ProductUpserted, ProductViewed

DATA = Path(os.environ.get("SHELFTALK_DATA", Path(__file__).parents[2].parent / "shared" / "data"))
START_MS = 1_789_000_000_000
HEADER = "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"


def write(folder: Path, seconds: list[int]) -> Path:
    file = folder / "log.csv"
    zero = datetime(2020, 1, 1, tzinfo=UTC)
    rows = [
        f"{zero + timedelta(seconds=at):%F %T} UTC,view,p{number},7,electronics.tablet,lg,9.99,u{number},s\n"
        for number, at in enumerate(seconds)
    ]
    file.write_text(HEADER + "".join(rows))
    return file


def play(file: Path, seconds: float, rate: float | None = None, speed: float | None = None) -> list[Planned]:
    return list(Log(file, plan_log(file, seconds, rate, speed), START_MS))


def views(records: list[Planned]) -> list[int]:
    return [record.due_ms - START_MS - LEAD_MS for record in records if isinstance(record.event, ProductViewed)]


def test_it_is_fitted_into_the_seconds(tmp_path: Path) -> None:
    assert views(play(write(tmp_path, [0, 10, 20, 30, 40]), 8)) == [0, 2000, 4000, 6000, 8000]


def test_long_silences_are_cut_but_only_when_fitted(tmp_path: Path) -> None:
    file = write(tmp_path, [*range(50), 7200, *range(7201, 7250)])
    plan = plan_log(file, 10, None, None)
    fitted = views(play(file, 10))
    assert plan.longest_gap_ms == pytest.approx(3 * 7_249_000 / 100, abs=1)
    assert max(after - before for before, after in pairwise(fitted)) < 7_000
    assert fitted[-1] == pytest.approx(10_000, abs=2)
    slow = views(play(file, 10, speed=720.0))
    assert max(after - before for before, after in pairwise(slow)) > 9_900


def test_a_fixed_speed_ends_where_the_seconds_end(tmp_path: Path) -> None:
    plan = plan_log(write(tmp_path, list(range(100))), 10, None, 2.0)
    assert (plan.rows, plan.whole, plan.longest_gap_ms) == (21, False, None)


def test_a_rate_limits_the_rows(tmp_path: Path) -> None:
    file = write(tmp_path, list(range(100)))
    plan = plan_log(file, 10, 3, None)
    assert (plan.rows, plan.whole) == (30, False)
    log = Log(file, plan, START_MS)
    assert len(views(list(log))) == 30 == log.adapter.tally.rows


def test_a_log_of_one_moment_or_out_of_order_is_no_trouble(tmp_path: Path) -> None:
    assert views(play(write(tmp_path, [5, 5, 5]), 10)) == [0, 0, 0]
    mixed = play(write(tmp_path, [5, 3, 9, 1, 12]), 10)
    assert [record.due_ms for record in mixed] == sorted(record.due_ms for record in mixed)
    assert len(views(mixed)) == 5


def test_nothing_to_play_says_so(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no good row"):
        plan_log(write(tmp_path, []), 10, None, None)


def test_products_are_known_before_they_are_seen(tmp_path: Path) -> None:
    records = play(write(tmp_path, list(range(0, 100, 5))), 10)
    known: dict[str, int] = {}
    for record in records:
        if isinstance(record.event, ProductUpserted):
            known[record.event.sku] = record.due_ms
            assert record.event.occurred_at_ms == record.due_ms
        elif isinstance(record.event, ProductViewed):
            assert record.due_ms - known[record.event.sku] == LEAD_MS


def _product(sku: str, category: str, kind: str, price: int) -> Product:
    return Product(sku=sku, name=sku, category=category, kind=kind, price_minor=price, currency="USD", stock=9)


CATALOGUE = [
    *(_product(f"kettle{n}", "housewares", "kettle", 1000 * n) for n in range(1, 20)),
    *(_product(f"sofa{n}", "furniture", "sofa", 10_000 * n) for n in range(1, 20)),
]


def _row(product_id: str, code: str, price: int | None) -> Row:
    return Row(1, START_MS, "view", product_id, "7", code, "lg", price, "u", None)


def test_mapping_goes_by_kind_then_by_price() -> None:
    mapping = Mapping(CATALOGUE)
    cheap = mapping.product(_row("1", "appliances.kitchen.kettle", 1_100))
    dear = mapping.product(_row("1", "appliances.kitchen.kettle", 18_900))
    assert cheap.kind == dear.kind == "kettle"
    assert cheap.price_minor <= 8_000
    assert dear.price_minor >= 12_000
    assert mapping.product(_row("1", "furniture.living_room.sofa", None)).kind == "sofa"
    assert mapping.product(_row("1", "computers.notebook", 50_000)) in CATALOGUE
    # The same row maps the same way, whoever asks and in whatever order.
    again = Mapping(list(reversed(CATALOGUE)))
    rows = [_row(str(n), code, 100 * n) for n in range(50) for code in ("", "appliances.kitchen.kettle")]
    assert [mapping(row) for row in rows] == [again(row) for row in reversed(rows)][::-1]


@pytest.mark.skipif(not DATA.is_dir(), reason="no real log here; SHELFTALK_DATA names the folder of the real data")
def test_the_real_log_is_spread_over_the_time() -> None:
    file = DATA / "rees46" / "2019-Oct-head.csv"
    records = play(file, 60, rate=250)
    assert sum(isinstance(record.event, Behaviour) for record in records) == 12_203
    seconds = [0] * 63
    for record in records:
        seconds[(record.due_ms - START_MS) // 1000] += 1
    assert max(seconds) < 800  # and not thousands in the second after the night
