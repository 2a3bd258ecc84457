"""What a run found: one struct, written as JSON, from which the page and `replay diff` are made."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from shelftalk.errors import ConfigError
from shelftalk.replay.files import write_whole
from shelftalk.replay.measure import Spread
from shelftalk.replay.play import Played
from shelftalk.replay.slo import Objective, Verdict, judge
from shelftalk.replay.timeline import Sample

FILE = "result.json"
FORMAT = 1

#: The generator may be late by a tenth of what is measured, for it is part of what is measured; and never by more than this.
LATE_SHARE, LATEST_MS = 0.1, 250.0

#: Below this nobody can tell a late generator from a busy operating system.
LATE_ANYWAY_MS = 5.0

#: A reader that is busy for more of the time is what the cards wait for.
BUSIEST = 0.9

RUNGS = ("cached", "generated", "phrasebook")


class Result(msgspec.Struct, kw_only=True):
    """A run.

    Attributes:
        recording: path, count and fingerprint of what was played.
        pace: as it was asked for.
        site: where, in words.
        measured_s: from the end of the warm-up to the end of the sending.
        rate_per_s: records sent a second, in that time.
        doubts: why the latencies are not the system's; then they are not given.
        lateness: the generator's own, in ms.
        answers: from what a shopper did to each of the cards that answer it, in ms.
        refreshes: from a price, stock or other fact to each card that it changed.
        lost: sent, and not done with when it ended; ``None`` if that could not be found out.
        by_rung: answers, by who gave them.
        histograms: `answers`, `refreshes` and `lateness` in HDR's own form.
        over_time: percentiles of the answers by second.
        samples: everything else by second.
        texts: digests of what was said (`shelftalk.replay.diff`).
    """

    run: str
    started_at: str
    version: str
    recording: dict[str, Any]
    pace: dict[str, Any]
    keys: dict[str, int]
    site: str
    warm_up_s: float
    measured_s: float
    sent: int
    delivered: int
    failed: int
    rate_per_s: float
    doubts: list[str]
    interrupted: bool
    failures: list[str]
    lateness: Spread
    answers: Spread | None
    refreshes: Spread | None
    lost: int | None
    cards: int
    by_rung: dict[str, int]
    refreshed: int
    rewritten: int
    withdrawn: int
    dead_letters: dict[str, int]
    review: int
    lag_max: int | None
    memory_max_mb: float | None
    cpu_s_per_event: float | None
    machine_mean: float | None
    histograms: dict[str, str]
    over_time: dict[int, Spread]
    samples: list[Sample]
    verdicts: list[Verdict] = []
    texts: dict[str, str] = {}
    format: int = FORMAT

    @property
    def broken(self) -> bool:
        """Whether an objective was not kept."""
        return any(verdict.kept is False for verdict in self.verdicts)

    @property
    def undecided(self) -> bool:
        """Whether an objective could not be judged."""
        return any(verdict.kept is None for verdict in self.verdicts)


def figures_of(played: Played, *, warm_up_s: float) -> dict[str, Any]:
    """The fields of a `Result` that follow from what happened."""
    doubts = doubts_about(played)
    measured = [sample for sample in played.samples if warm_up_s <= sample.at_s <= played.played_s]
    measured_s = max(played.played_s - warm_up_s, 0.0)
    lags = [sample.lag for sample in measured if sample.lag is not None]
    memory = [sample.memory_mb for sample in measured if sample.memory_mb is not None]
    machine = [sample.machine for sample in measured if sample.machine is not None]
    lost = None if played.left is None else played.left + played.failed
    return {
        "measured_s": round(measured_s, 3),
        "sent": played.sent,
        "delivered": played.delivered,
        "failed": played.failed,
        "rate_per_s": round(played.sent_measured / measured_s, 2) if measured_s else 0.0,
        "doubts": doubts,
        "interrupted": played.interrupted,
        "failures": played.failures,
        "lateness": played.lateness.spread(),
        "answers": None if doubts else played.answers.spread(),
        "refreshes": None if doubts else played.refreshes.spread(),
        "lost": lost,
        "cards": played.counts.cards,
        "by_rung": {rung: played.counts.answers[rung] for rung in RUNGS},
        "refreshed": played.counts.refreshed,
        "rewritten": played.counts.rewritten,
        "withdrawn": played.counts.withdrawn,
        "dead_letters": dict(played.counts.dead_letters),
        "review": played.counts.records["review"],
        "lag_max": max(lags, default=None),
        "memory_max_mb": max(memory, default=None),
        "cpu_s_per_event": _cpu_per_event(measured),
        "machine_mean": round(sum(machine) / len(machine), 3) if machine else None,
        "histograms": {
            "lateness": played.lateness.encoded(),
            **({} if doubts else {"answers": played.answers.encoded(), "refreshes": played.refreshes.encoded()}),
        },
        "over_time": {} if doubts else played.answers.over_time(),
        "samples": played.samples,
    }


def doubts_about(played: Played) -> list[str]:
    """Why the latencies would be those of the generator of load rather than the system's; empty is good."""
    doubts = []
    late, answers = played.lateness.spread(), played.answers.spread()
    if late.p99 is not None and late.p99 > LATE_ANYWAY_MS:
        allowed = min(LATEST_MS, max(LATE_ANYWAY_MS, LATE_SHARE * (answers.p99 or 0.0)))
        if late.p99 > allowed:
            doubts.append(
                f"the generator of load was late itself: p99 {late.p99:.0f} ms after the intended time, where {allowed:.0f} ms "
                "would not be felt; give it a core of its own, another machine, or a lower rate"
            )
    if played.overdue:
        doubts.append("the generator of load was behind when it ended, and did not send all that was due")
    if played.follower_busy > BUSIEST:
        doubts.append(
            f"the reader of the cards was busy {played.follower_busy:.0%} of the time: cards may have waited for it; give it "
            "another machine, or a lower rate"
        )
    if not played.read_back:
        doubts.append("not all cards could be read back")
    return doubts


def judged(objectives: tuple[Objective, ...], result: Result) -> list[Verdict]:
    """Hold objectives against a result. What was never answered counts as infinitely late."""
    figures: dict[str, float | None] = {
        "lost": result.lost,
        "dead_letters": sum(result.dead_letters.values()),
        "lag": result.lag_max,
        "rate": result.rate_per_s,
        "memory": result.memory_max_mb,
    }
    answered = sum(result.by_rung.values())
    for rung in RUNGS:
        figures[rung] = 100 * result.by_rung[rung] / answered if answered else None
    for prefix, spread in (("", result.answers), ("refresh.", result.refreshes)):
        for name in ("p50", "p90", "p95", "p99", "p99.9", "max", "mean"):
            value = None if spread is None else getattr(spread, name.replace(".", ""))
            unanswered = (result.lost or 0) / max(1, (spread.count if spread else 0) + (result.lost or 0))
            allowed = 1 - float(name[1:]) / 100 if name[0] == "p" else 0.0
            figures[prefix + name] = math.inf if value is not None and unanswered > allowed else value
    verdicts = judge(objectives, figures)
    return [
        msgspec.structs.replace(each, value=None) if each.value is not None and math.isinf(each.value) else each
        for each in verdicts
    ]


def _cpu_per_event(samples: list[Sample]) -> float | None:
    """Processor seconds of the workers for each record sent, the texts they wrote included."""
    first = next((sample for sample in samples if sample.cpu_s is not None), None)
    last = next((sample for sample in reversed(samples) if sample.cpu_s is not None), None)
    if first is None or last is None or last.sent <= first.sent or first.cpu_s is None or last.cpu_s is None:
        return None
    return round((last.cpu_s - first.cpu_s) / (last.sent - first.sent), 6)


def write(result: Result, folder: Path) -> Path:
    """Write it as JSON; returns the file."""
    return write_whole(folder / FILE, msgspec.json.format(msgspec.json.encode(result), indent=1))


def read(folder: Path) -> Result:
    """Read what `write` wrote.

    Raises:
        ConfigError: it is not there, or of another version.
    """
    file = folder / FILE if folder.is_dir() else folder
    try:
        return msgspec.json.decode(file.read_bytes(), type=Result)
    except (OSError, msgspec.MsgspecError) as error:
        raise ConfigError(f"{file}: not what `shelftalk replay run` writes: {error}") from error


def summary(result: Result) -> list[str]:
    """To read, label and value in two columns."""
    rows: list[tuple[str, str]] = [
        (
            "sent",
            f"{result.sent:,} records, {result.rate_per_s:,.1f} a second over {result.measured_s:.0f} s after the warm-up",
        ),
        ("cards", f"{result.cards:,}; {result.refreshed:,} by price or stock, {result.rewritten:,} with better words"),
        ("answered", _shares(result.by_rung)),
        ("generator late by", str(result.lateness)),
    ]
    if result.doubts:
        rows += [("no latency", doubt) for doubt in result.doubts]
    else:
        rows += [
            ("from event to card", str(result.answers)),
            ("from price or stock to card", str(result.refreshes)),
        ]
    rows.append(("lost", "not to be found out" if result.lost is None else f"{result.lost:,}"))
    if result.dead_letters:
        rows.append(("dead letters", ", ".join(f"{why} {count:,}" for why, count in result.dead_letters.items())))
    if result.memory_max_mb is not None:
        cost = "" if result.cpu_s_per_event is None else f", {result.cpu_s_per_event * 1000:.2f} ms of CPU an event"
        rows.append(("workers", f"{result.memory_max_mb:,.0f} MB at most{cost}; lag at most {result.lag_max or 0:,}"))
    if result.machine_mean is not None:
        rows.append(("this machine", f"{result.machine_mean:.0%} busy"))
    rows += [("objective", str(verdict)) for verdict in result.verdicts]
    rows += [("failed", failure) for failure in result.failures]
    width = max(len(label) for label, _ in rows)
    return [f"{label:<{width}}  {value}" for label, value in rows]


def _shares(counts: Mapping[str, int]) -> str:
    total = sum(counts.values())
    return (
        ", ".join(f"{name} {count:,} ({count / total:.0%})" for name, count in counts.items()) if total else "nothing"
    )
