"""Costs fitted from made-up steps whose costs are known, and plans that follow from them."""

from typing import Any

import msgspec
import pytest

from shelftalk.replay.capacity.fit import CPU_TERMS, Fit, Term, fit_cpu, fit_memory, least_squares
from shelftalk.replay.capacity.plan import Basis, Ladder, Wanted, plan
from shelftalk.replay.capacity.search import Outcome
from shelftalk.replay.capacity.state import State
from shelftalk.replay.capacity.steps import Step
from shelftalk.replay.measure import Spread


def step(rate_per_s: float, **known: Any) -> Step:
    fields: dict[str, Any] = {
        "workers": 1,
        "partitions": 4,
        "rate_per_s": rate_per_s,
        "sent_per_s": rate_per_s,
        "sent": int(rate_per_s * 10),
        "seconds": 8.0,
        "outcome": Outcome.KEPT,
        "why": "",
        "answers": Spread(),
        "lateness": Spread(),
        "verdicts": [],
        "growth": 0.0,
        "cores": 0.05 + rate_per_s * 1e-3,
        "cpu_us_per_event": 1_000.0,
        "memory_mb": 200.0,
        "machine": 0.5,
        "lag_max": 0,
        "skus": 200,
        "shoppers": 1_000,
    }
    return Step(**(fields | known))


def test_known_costs_are_found_again() -> None:
    def costing(rate_per_s: float, skus: int, shoppers: int, partitions: int) -> Step:
        cores = 0.04 + rate_per_s * 1e-6 * (800 + 30 * (skus // 400) + 50 * (partitions // 16))
        memory_mb = 150 + 12e-3 * shoppers + 40e-3 * skus
        return step(rate_per_s, skus=skus, shoppers=shoppers, partitions=partitions, cores=cores, memory_mb=memory_mb)

    steps = [costing(rate, 200, 10 * rate, 4) for rate in (50, 100, 200, 400)]
    steps += [costing(200, 400, 2_000, 4), costing(200, 200, 9_000, 4), costing(200, 200, 2_000, 16)]
    cpu, memory = fit_cpu(steps), fit_memory(steps)
    assert cpu is not None
    assert memory is not None
    assert cpu["event"] == pytest.approx(800, rel=0.02)
    assert cpu["idle worker"] == pytest.approx(40_000, rel=0.02)
    assert cpu["event, SKUs doubled"] == pytest.approx(30, rel=0.1)
    assert cpu["event, partitions doubled"] == pytest.approx(25, rel=0.1)
    assert memory["shopper"] == pytest.approx(12, rel=0.02)
    assert memory["SKU"] == pytest.approx(40, rel=0.05)
    assert max(cpu.worst, memory.worst) < 0.01


def test_what_did_not_vary_is_not_told_apart() -> None:
    cpu = fit_cpu([step(50), step(100), step(200)])
    assert cpu is not None
    told = {term.name for term in cpu.terms if term.value is not None}
    assert told == {"event", "idle worker"}
    assert cpu["event"] == pytest.approx(1_000)


def test_a_cost_is_never_negative() -> None:
    found = least_squares("x", {"a": "", "b": ""}, {"a": [1, 2, 3], "b": [3, 2, 1]}, [1, 2.2, 3.5])
    assert all(term.value is not None and term.value >= 0 for term in found.terms)


def test_one_point_tells_one_term() -> None:
    cpu = fit_cpu([step(100)])
    assert cpu is not None
    assert [term.value is not None for term in cpu.terms] == [True, False, False, False, False]


def test_only_steps_that_were_held_say_what_an_event_costs() -> None:
    assert fit_cpu([step(100, outcome=Outcome.BROKEN)]) is None
    assert fit_memory([step(100, memory_mb=None)]) is None


def fit_of(**values: float) -> Fit:
    names = {"event": "event", "shoppers": "event, shoppers doubled", "skus": "event, SKUs doubled"}
    told = {names[name]: value for name, value in values.items()}
    return Fit("processor", [Term(name, unit, told.get(name)) for name, unit in CPU_TERMS.items()], 5, 0.0)


MEMORY = Fit("memory", [Term("worker", "MB", 200.0), Term("shopper", "kB", 10.0), Term("SKU", "kB", 20.0)], 5, 0.0)


def ladder(workers: int, capacity_per_s: float | None, *, machine: float = 0.5) -> Ladder:
    steps = [step(capacity_per_s or 50.0, workers=workers, machine=machine, shoppers=1_000 * workers)]
    state = State({}, {"profiles": 3_000_000, "shelves": 400_000}, 5_000, 10_000_000)
    return Ladder(
        workers=workers,
        partitions=4,
        steps=steps,
        capacity_per_s=capacity_per_s,
        ended="500/s was not held",
        state=state,
    )


def planned(wanted: Wanted, ladders: list[Ladder], cpu: Fit | None) -> dict[str, tuple[str, Basis]]:
    steps = [step for each in ladders for step in each.steps]
    return {line.what: (line.value, line.basis) for line in plan(wanted, ladders, steps, cpu, MEMORY)}


def test_a_plan_says_what_was_measured_and_what_was_not() -> None:
    lines = planned(Wanted(14_000, 1_000, 200), [ladder(1, 400.0), ladder(2, 800.0)], fit_of(event=1_000))
    assert lines["one worker holds"] == ("400 events/s", Basis.MEASURED)
    assert lines["2 workers hold"] == ("800 events/s", Basis.MEASURED)
    assert lines["workers"] == ("50", Basis.EXTRAPOLATED)  # 14,000 / (0.7 * 400)
    assert lines["partitions"] == ("100", Basis.ASSUMED)
    assert lines["disk, state in changelogs"] == ("3.4 MB", Basis.EXTRAPOLATED)  # 3,000 a shopper, 2,000 a SKU


def test_workers_that_get_in_each_others_way_are_planned_for() -> None:
    wanted = Wanted(14_000, 1_000, 200)
    assert planned(wanted, [ladder(1, 400.0), ladder(2, 600.0)], None)["workers"][0] == "67"  # each holds 75%
    # A machine that was full says nothing about workers on machines of their own.
    assert planned(wanted, [ladder(1, 400.0), ladder(2, 600.0, machine=0.97)], None)["workers"][0] == "50"


def test_a_full_machine_is_named_with_who_filled_it() -> None:
    """The rate that was held left something over, the next one did not: that is what ended the search."""
    steps = [step(700.0, machine=0.97, cores=0.9), step(500.0, machine=0.8, cores=0.8)]
    wide = msgspec.structs.replace(ladder(2, 500.0), steps=steps, machine_cores=2)
    assert wide.full_of_what.startswith("this machine's 2 cores were 97% busy at 700/s, 0.9 by the workers and 1.0 by")
    lines = {line.what: line.how for line in plan(Wanted(1_000, 10, 10), [ladder(1, 400.0), wide], steps, None, None)}
    assert "says nothing about workers on machines of their own" in lines["2 workers hold"]
    assert "assumed" in lines["workers"]
    assert not ladder(2, 500.0).full_of_what


def test_a_larger_state_makes_events_dearer_and_may_ask_for_more_memory_than_one_worker_has() -> None:
    few = planned(Wanted(280, 1_000, 200), [ladder(1, 400.0)], fit_of(event=1_000, shoppers=200))
    assert few["workers"][0] == "1"
    many = planned(Wanted(280, 1_024_000, 200), [ladder(1, 400.0)], fit_of(event=1_000, shoppers=200))
    assert many["workers"][0] == "3"  # 8.4 doublings, each of which makes an event dearer by a fifth
    crowded = planned(Wanted(280, 10_240_000, 200, memory_mb=1_200), [ladder(1, 400.0)], fit_of(event=1_000))
    assert int(crowded["workers"][0]) == 103  # 102 GB of state, 1 GB each


def test_without_a_capacity_there_is_no_plan() -> None:
    assert plan(Wanted(1_000, 1_000, 200), [ladder(1, None)], [], None, None) == []
