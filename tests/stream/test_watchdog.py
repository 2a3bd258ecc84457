"""A worker that stands still ends; one that works, waits for the broker or recovers does not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shelftalk.stream.watchdog import Standing, Watch
from tests.stream.harness import Site, wait_for

LIMIT_S = 10.0


def test_lag_without_progress_for_so_long_is_a_stall() -> None:
    watch: Watch[str] = Watch(LIMIT_S)
    assert watch.look(0, {"a": Standing(5, 9)}, -1) is None
    assert watch.look(9, {"a": Standing(5, 12)}, -1) is None
    found = watch.look(10, {"a": Standing(5, 12)}, -1)
    assert found is not None
    assert "7 records" in found


@pytest.mark.parametrize(
    "between",
    [
        {"a": Standing(6, 9)},  # something was done
        {"a": Standing(9, 9)},  # nothing was left to do
        {},  # it was another's
        None,  # the broker was away
    ],
)
def test_what_is_no_stall(between: dict[str, Standing] | None) -> None:
    watch: Watch[str] = Watch(LIMIT_S)
    watch.look(0, {"a": Standing(5, 9)}, -1)
    watch.look(8, between, -1)
    assert watch.look(15, {"a": Standing(6, 9)}, -1) is None


def test_recovery_may_take_as_long_as_it_gets_on() -> None:
    watch: Watch[str] = Watch(LIMIT_S)
    for now_s in range(0, 100, 5):
        assert watch.look(now_s, {"a": Standing(5, 9)}, now_s) is None
    assert watch.look(95, {"a": Standing(5, 9)}, 95) is None
    assert watch.look(106, {"a": Standing(5, 9)}, 95) is not None, "a recovery can stand still, too"


@given(st.lists(st.tuples(st.floats(0.1, 9), st.booleans(), st.booleans()), min_size=1, max_size=60))
def test_it_tells_exactly_when_one_partition_stood_for_the_limit(steps: list[tuple[float, bool, bool]]) -> None:
    watch: Watch[str] = Watch(LIMIT_S)
    now_s, committed, since = 0.0, 0, 0.0
    watch.look(now_s, {"a": Standing(0, 1000)}, -1)
    for wait_s, progress, other in steps:
        now_s += wait_s
        if progress:
            committed, since = committed + 1, now_s
        places = {"a": Standing(committed, 1000)} | ({"b": Standing(3, 3)} if other else {})
        assert (watch.look(now_s, places, -1) is not None) == (now_s - since >= LIMIT_S)


@pytest.mark.kafka
@pytest.mark.parametrize("where", ["handler", "loop"])
def test_a_real_worker_that_stands_still_ends_by_itself(kafka_bootstrap: str, tmp_path: object, where: str) -> None:
    """Its handler waits for ever, or nothing runs any more in its event loop; the next one does the event again."""
    with Site(kafka_bootstrap, tmp_path) as site:  # type: ignore[arg-type]
        site.partitions = 1
        site.create_topics()
        worker = site.start("hanging", deadlines={"stall_s": 2})
        site.produce("behaviour", [("k", {"i": 0})])
        site.until("cards", lambda seen: seen.numbers == {0})
        wait_for(lambda: site.committed("behaviour") == {0: 1}, 10, "the first is committed")
        site.produce("behaviour", [("k", {"i": 1, "hang": where})])
        assert worker.wait(30) == 1
        assert "no progress" in worker.log.read_text()
        assert site.committed("behaviour") == {0: 1}
