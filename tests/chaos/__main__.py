"""``python -m tests.chaos [--seed N] [--seconds S]``: break everything for a while, then ask the topics what was lost."""

import argparse
import json
import statistics
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.chaos.evidence import Evidence
from tests.chaos.faults import Options
from tests.chaos.judge import judge
from tests.chaos.run import CONSUMED, Run, Story, tell, topic_names
from tests.chaos.topics import Record
from tests.chaos.verdict import Verdict
from tests.kafka.broker import KafkaUnavailableError


def main(arguments: list[str] | None = None) -> int:
    """Run, judge, print.

    Returns:
        0 if every promise held, 1 if one was broken, 2 if there is no Kafka.
    """
    given = _parser().parse_args(arguments)
    options = Options(
        seed=given.seed,
        seconds=given.seconds,
        every_s=given.every,
        rate_per_s=given.rate,
        broker_stop_s=given.broker_stop,
        thaws=given.thaws,
        generator=not given.phrasebook_only,
    )
    with ExitStack() as stack:
        folder = given.out or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="shelftalk-chaos-")))
        folder.mkdir(parents=True, exist_ok=True)
        try:
            story, evidence = chaos(folder.resolve(), options)
        except KafkaUnavailableError as error:
            tell(f"chaos: {error}")
            return 2
        except KeyboardInterrupt:
            tell("chaos: interrupted")
            return 130
        if given.out is not None:
            write(folder, evidence)
    verdict = judge(evidence)
    figures = summary(options, story, verdict)
    print("\n".join(table(figures, verdict)))
    print(json.dumps(figures))
    return 0 if figures["kept"] else 1


def chaos(folder: Path, options: Options) -> tuple[Story, Evidence]:
    """One run, and all that lies in the topics then."""
    with Run(folder, options, tell) as run:
        run.play()
        tell("reading the topics ...")
        names = topic_names(run.settings)
        evidence = Evidence(
            topics={short: run.topics.read(name) for short, name in names.items()},
            ends={short: run.topics.ends(names[short]) for short in CONSUMED},
            committed={short: run.topics.committed(names[short]) for short in CONSUMED},
        )
    return run.story, evidence


def write(folder: Path, evidence: Evidence) -> None:
    """The records, a file for each topic."""
    for short, records in evidence.topics.items():
        (folder / f"{short.replace(' ', '-')}.jsonl").write_text("".join(map(_line, records)))


def _line(record: Record) -> str:
    value = None if record.value is None else record.value.decode(errors="backslashreplace")
    headers = {name: content.decode(errors="replace") for name, content in record.headers.items()}
    place = {"at": record.timestamp_ms, "partition": record.partition, "offset": record.offset}
    return json.dumps(place | {"key": record.key, "value": value, "headers": headers}) + "\n"


def summary(options: Options, story: Story, verdict: Verdict) -> dict[str, Any]:
    """All figures."""
    losses, wrong = sum(verdict.losses.values()), sum(verdict.wrong.values())
    kills = [
        recovery
        for kind in ("kill", "wipe")
        for at_ms in story.faults.get(kind, ())
        if (recovery := _recovery_ms(verdict, at_ms)) is not None
    ]
    kept = not losses and not wrong and story.quiet and not story.bad_drains
    return {
        "kept": kept,
        "seed": options.seed,
        "seconds": options.seconds,
        "inputs": sum(verdict.inputs.values()),
        "inputs_by_kind": dict(verdict.inputs),
        "repeated": story.inputs["repeated"],
        "late": story.inputs["late"],
        "cards": verdict.cards,
        "copy": verdict.copy,
        "duplicates": verdict.duplicates,
        "dead_letters": verdict.dead_letters,
        "dead_letter_repeats": verdict.dead_letter_repeats,
        "poison_kinds": verdict.poison_kinds,
        "losses": losses,
        "losses_by_kind": dict(verdict.losses),
        "wrong_prices": wrong,
        "wrong_by_kind": dict(verdict.wrong),
        "late_facts": verdict.late_facts,
        "late_on_the_wire": verdict.late_on_the_wire,
        "longest_stale_ms": verdict.stale_ms,
        "longest_stall_ms": max((came - at for at, came in verdict.answer_ms), default=0),
        "answer_p50_ms": round(statistics.median(came - at for at, came in verdict.answer_ms))
        if verdict.answer_ms
        else None,
        "recovery_ms_median": round(statistics.median(kills)) if kills else None,
        "recovery_ms_longest": max(kills, default=None),
        "rest_ms": story.rest_ms,
        "came_to_rest": story.quiet,
        "faults": {kind: len(times) for kind, times in sorted(story.faults.items())},
        "worker_starts": story.starts,
        "ended_by_themselves": {str(code): count for code, count in story.exits.items()},
        "bad_drains": story.bad_drains,
    }


def _recovery_ms(verdict: Verdict, at_ms: int) -> int | None:
    """From a kill to the answer of everything that came in within a second around it."""
    came = [answer for asked, answer in verdict.answer_ms if abs(asked - at_ms) <= 1000]
    return max(came) - at_ms if came and max(came) > at_ms else None


def table(figures: dict[str, Any], verdict: Verdict) -> list[str]:
    """For a person."""
    rows = {
        name: value for name, value in figures.items() if name not in {"losses_by_kind", "wrong_by_kind", "bad_drains"}
    }
    width = max(map(len, rows))
    lines = [f"{name.replace('_', ' '):<{width}}  {_plain(value)}" for name, value in rows.items()]
    for kinds in (verdict.losses, verdict.wrong):
        for kind, count in kinds.most_common():
            lines.append(f"BROKEN {kind}: {count}")
            lines += [f"    {example}" for example in verdict.examples.get(kind, [])]
    lines += [f"BROKEN drain: {one}" for one in figures["bad_drains"]]
    return lines


def _plain(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1, help="of traffic and faults (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=240, help="how long faults happen (default: %(default)s)")
    parser.add_argument("--every", type=float, default=4, help="mean seconds between two faults (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=15, help="inputs a second (default: %(default)s)")
    parser.add_argument(
        "--broker-stop", type=float, default=30, help="seconds without a broker, once (default: %(default)s)"
    )
    parser.add_argument("--thaws", action="store_true", help="only freezes that end while the broker restarts")
    parser.add_argument("--phrasebook-only", action="store_true", help="workers without a generator")
    parser.add_argument("--out", type=Path, help="keep logs, and the broker's data, here")
    return parser


if __name__ == "__main__":
    sys.exit(main())
