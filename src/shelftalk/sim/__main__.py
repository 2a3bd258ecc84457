"""``python -m shelftalk.sim --seeds 300 [--seed N] [--break BUG]``: play histories, and say which broke a promise."""

import argparse
import sys
import time
from collections import Counter

from shelftalk.sim.bugs import Bug
from shelftalk.sim.run import Result, run_seed

_TRACE = 25


def main(arguments: list[str] | None = None) -> int:
    """Play the histories.

    Returns:
        0 if all promises held, 1 if one was broken.
    """
    parser = argparse.ArgumentParser(prog="python -m shelftalk.sim", description="Play simulated histories.")
    parser.add_argument("--seeds", type=int, default=300, help="how many histories (default: %(default)s)")
    parser.add_argument("--first", type=int, default=0, help="the first seed (default: %(default)s)")
    parser.add_argument("--seed", type=int, help="play this one only, and show its diary")
    parser.add_argument("--break", dest="bug", type=Bug, choices=list(Bug), help="plant a bug, which must be caught")
    given = parser.parse_args(arguments)
    seeds = range(given.first, given.first + given.seeds) if given.seed is None else [given.seed]
    began = time.monotonic()
    failed: list[Result] = []
    counts: Counter[str] = Counter()
    for number, seed in enumerate(seeds, start=1):
        result = run_seed(seed, given.bug)
        counts.update(result.counts)
        if result.broken:
            failed.append(result)
            if len(failed) == 1:
                _show(result, given.bug)
        if sys.stderr.isatty() or number % 100 == 0:
            print(f"\r{number} of {len(seeds)}, {len(failed)} broken", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    if given.seed is not None and not failed:
        print("\n".join(result.diary))
    kinds = Counter(result.promise for result in failed)
    broken = ", ".join(f"{kind} {count}" for kind, count in kinds.most_common())
    print(
        f"{len(seeds)} histories in {time.monotonic() - began:.1f} s: {counts['crash']} crashes, {counts['assign']} "
        f"assignments, {counts['lost_in_flight']} records lost in flight, "
        f"{counts['card live'] + counts['card withdrawn']} cards, {counts['dead letter']} dead letters."
    )
    if failed:
        print(f"{len(failed)} broke a promise ({broken}): seeds {', '.join(str(one.seed) for one in failed[:20])}")
    return 1 if failed else 0


def _show(result: Result, bug: Bug | None) -> None:
    print(f"seed {result.seed} broke a promise: {result.broken}")
    print(*result.diary[-_TRACE:], sep="\n")
    print(f"again: python -m shelftalk.sim --seed {result.seed}{f' --break {bug}' if bug else ''}")


if __name__ == "__main__":
    sys.exit(main())
