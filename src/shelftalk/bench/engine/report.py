"""The table and the JSON line."""

import dataclasses
import statistics
from collections.abc import Sequence

from shelftalk.bench.engine.clients import Course


@dataclasses.dataclass(frozen=True)
class Figure:
    """One contestant at one concurrency: medians over its courses, percentiles over all their callers.

    Attributes:
        requests_per_s: texts finished.
        tokens_per_s: their tokens.
        p50_s: half of the callers waited at most so long.
        p99_s: all but one in a hundred did.
        peak_mb: the most memory it had.
        cpu_ms: computed for a text, all threads together; hardly moved by what else the machine does.
    """

    requests_per_s: float
    tokens_per_s: float
    p50_s: float
    p99_s: float
    peak_mb: float
    cpu_ms: float


def figure(courses: Sequence[Course]) -> Figure:
    """Put the courses of one contestant at one concurrency together."""
    waits = sorted(wait for course in courses for wait in course.waits_s)
    return Figure(
        statistics.median(course.requests / course.seconds for course in courses),
        statistics.median(course.tokens / course.seconds for course in courses),
        waits[len(waits) // 2],
        waits[min(len(waits) - 1, int(0.99 * len(waits)))],
        max(course.peak_mb for course in courses),
        statistics.median(course.cpu_s / max(1, course.requests) for course in courses) * 1000,
    )


def best_peer(figures: dict[str, Figure], ours: str) -> str | None:
    """The peer that finished most texts a second."""
    # Our other rows, such as the one with the whole head, are no peers.
    family = ours.split(maxsplit=1)[0]
    peers = {name: one.requests_per_s for name, one in figures.items() if name.split()[0] != family}
    return max(peers, key=peers.__getitem__, default=None)


def ratio(figures: dict[str, Figure], ours: str) -> float | None:
    """Ours to the best peer's requests a second."""
    best = best_peer(figures, ours)
    if best is None or ours not in figures:
        return None
    return figures[ours].requests_per_s / figures[best].requests_per_s


def table(concurrency: int, figures: dict[str, Figure], ours: str, limit: float) -> str:
    """The lines of one concurrency, the fastest first."""
    best = best_peer(figures, ours)
    lines = [
        f"{concurrency} at once {'':14}  texts/s  tokens/s   p50 s   p99 s  peak MB  CPU ms/text  of limit  to best peer"
    ]
    for name, one in sorted(figures.items(), key=lambda item: -item[1].requests_per_s):
        to_best = f"{one.requests_per_s / figures[best].requests_per_s:12.2f}" if best else f"{'-':>12}"
        lines.append(
            f"  {name:24} {one.requests_per_s:7.2f} {one.tokens_per_s:9.1f} {one.p50_s:7.2f} {one.p99_s:7.2f}"
            f" {one.peak_mb:8.0f} {one.cpu_ms:12.1f} {one.requests_per_s / limit:9.1%} {to_best}"
        )
    lines.append(f"  {'the limit (int8)':24} {limit:7.1f}")
    return "\n".join(lines)
