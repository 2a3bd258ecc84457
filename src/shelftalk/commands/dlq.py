"""``shelftalk dlq``: look at the dead letters, and send them again."""

import base64
import json
import re
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, NamedTuple

import msgspec
import typer

from shelftalk.errors import ConfigError
from shelftalk.stream.dlq import DeadLetterTopic, Filter, Letter, Redriver
from shelftalk.stream.settings import Settings, load
from shelftalk.stream.topics import TopicAdmin
from shelftalk.terminal import safe

app = typer.Typer(help="Look at the dead letters, and send them again.", no_args_is_help=True)

#: Topics that workers read: letters go back to these and to no other.
_INPUTS = ("behaviour", "inventory", "asks", "offers")

#: More kinds of letters than this, and the rest is counted as one.
_MOST_KINDS = 200

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

Topic = Annotated[str | None, typer.Option(help="That came from this topic; its short name is enough: inventory.")]
Reason = Annotated[str | None, typer.Option(help="Of this reason: a code such as schema, or an error's class.")]
Key = Annotated[str | None, typer.Option(help="With this Kafka key: a shopper's id or a SKU.")]
Since = Annotated[str | None, typer.Option(help="Set aside since: 90m, 2h, 7d, or 2026-11-27T08:00 (UTC).")]
Until = Annotated[str | None, typer.Option(help="Set aside before, likewise.")]
AsJson = Annotated[bool, typer.Option("--json", help="JSON for machines, one object a line.")]


@app.command("list")
def list_letters(
    *,
    topic: Topic = None,
    reason: Reason = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="Newest letters to print.")] = 20,
    as_json: AsJson = False,
) -> None:
    """What lies there: how many of which kind, and the newest."""
    settings = load()
    wanted = _filter(settings, [], _Said(topic, reason, key, since, until))
    kinds: Counter[tuple[str, str]] = Counter()
    newest: deque[dict[str, Any]] = deque(
        maxlen=limit
    )  # not the letters: a hundred thousand may weigh a hundred gigabytes
    done = 0
    with _opened(settings) as letters:
        marks = letters.marks()
        for letter in letters.letters(wanted):
            kind = (letter.topic, letter.reason)
            kinds[kind if kind in kinds or len(kinds) < _MOST_KINDS else ("others", "others")] += 1
            done += letter in marks
            newest.append(_told(letter, redriven=letter in marks))
    if as_json:
        for told in newest:
            typer.echo(json.dumps(told))
        return
    total = sum(kinds.values())
    typer.echo(f"{letters.name}: {_count(total)}{f', {done:,} of them sent again' if done else ''}")
    for (source, why), count in kinds.most_common():
        typer.echo(f"{count:>9,}  {safe(why):<24}  {safe(source)}")
    if newest:
        typer.echo("\n" + _row("id", "set aside (UTC)", "reason", "key", "detail"))
    for told in sorted(newest, key=lambda each: int(each["at_ms"]), reverse=True):
        row = _row(told["id"], _moment(told["at_ms"]), told["reason"], told["key"] or "", told["detail"])
        typer.echo(row + " (sent again)" * told["redriven"])
    if total:
        typer.echo("\nOne of them: shelftalk dlq show ID. Send them again: shelftalk dlq redrive --dry-run ...")


@app.command()
def show(
    letter_id: Annotated[str, typer.Argument(metavar="ID", help="As `list` prints it, such as 0-17.")],
    *,
    as_json: AsJson = False,
    raw: Annotated[bool, typer.Option("--raw", help="Only the event's own bytes, for a pipe.")] = False,
) -> None:
    """One letter: where it came from, why it is here, and the event itself."""
    partition, offset = _place(letter_id)
    settings = load()
    with _opened(settings) as letters:
        letter = letters.find(partition, offset)
        if letter is None:
            raise ConfigError(f"dlq: there is no letter {letter_id}; `shelftalk dlq list` prints those that there are")
        redriven = not raw and letter in letters.marks()
    if raw:
        sys.stdout.buffer.write(letter.value or b"")
    elif as_json:
        typer.echo(json.dumps(_told(letter, redriven=redriven) | _contents(letter)))
    else:
        typer.echo("\n".join(_page(letter, redriven=redriven)))


@app.command()
def redrive(
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID]...", help="Letters by id.")] = None,
    *,
    topic: Topic = None,
    reason: Reason = None,
    key: Key = None,
    since: Since = None,
    until: Until = None,
    everything: Annotated[bool, typer.Option("--all", help="Every letter; otherwise say which.")] = False,
    again: Annotated[bool, typer.Option(help="Also those that were sent again before.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send letters again to the topics that they came from. Twice does no harm: what was sent is marked, and events have ids."""
    settings = load()
    wanted = _filter(settings, ids or [], _Said(topic, reason, key, since, until))
    if wanted == Filter() and not everything:
        raise ConfigError("dlq: say which letters: by id, --topic, --reason, --key, --since, --until, or --all")
    known = TopicAdmin(settings.kafka).partitions()
    inputs = {name: known[name] for name in map(settings.topics.name, _INPUTS) if name in known}
    dead_letters = settings.topics.name("dead_letters")
    redriver = Redriver(settings.kafka, dead_letters, inputs, dry_run=dry_run)
    with _opened(settings) as letters:
        marks = letters.marks()
        try:
            for letter in letters.letters(wanted):
                if redriver.send(letter, marks, again=again) and not as_json:
                    verb = "would send" if dry_run else "sent"
                    typer.echo(f"{verb} {letter.id} to {safe(letter.topic)} ({safe(letter.reason)})")
        finally:
            if not dry_run:
                redriver.finish()
    counts = redriver.counts
    if as_json:
        typer.echo(json.dumps(msgspec.structs.asdict(counts) | {"dry_run": dry_run}))
        return
    left = {"sent again before": counts.already, "without their value": counts.cut, "of other topics": counts.foreign}
    passed_over = "".join(f"; {number:,} {why}, passed over" for why, number in left.items() if number)
    typer.echo(f"{_count(counts.matched)}, {counts.sent:,} {'would be ' if dry_run else ''}sent{passed_over}")


@contextmanager
def _opened(settings: Settings) -> Iterator[DeadLetterTopic]:
    TopicAdmin(settings.kafka).partitions()  # who is refused learns it at once, and what to do
    letters = DeadLetterTopic(settings.kafka, settings.topics.name("dead_letters"))
    try:
        yield letters
    finally:
        letters.close()


def _filter(settings: Settings, ids: Sequence[str], said: "_Said") -> Filter:
    for letter_id in ids:
        _place(letter_id)
    short = {name: settings.topics.name(name) for name in _INPUTS}
    now_ms = time.time_ns() // 1_000_000
    return Filter(
        ids=frozenset(ids),
        topic=None if said.topic is None else short.get(said.topic, said.topic),
        reason=said.reason,
        key=None if said.key is None else said.key.encode(errors="surrogateescape"),
        since_ms=None if said.since is None else moment_ms(said.since, now_ms),
        until_ms=None if said.until is None else moment_ms(said.until, now_ms),
    )


class _Said(NamedTuple):
    """The filter's options as they were given."""

    topic: str | None
    reason: str | None
    key: str | None
    since: str | None
    until: str | None


def moment_ms(text: str, now_ms: int) -> int:
    """A point in time: so long ago (``90m``), or a date and time in ISO 8601, UTC where no zone is given.

    Raises:
        ConfigError: it is neither.
    """
    ago = re.fullmatch(r"(\d{1,9})([smhd])", text)
    if ago:
        return now_ms - int(ago[1]) * _UNITS_S[ago[2]] * 1000
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"dlq: {safe(text)!r} is no time; write 90m, 2h, 7d, or 2026-11-27T08:00") from None
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)


def _place(letter_id: str) -> tuple[int, int]:
    found = re.fullmatch(r"(\d{1,9})-(\d{1,18})", letter_id)
    if found is None:
        raise ConfigError(
            f"dlq: {safe(letter_id)!r} is no id of a letter; `shelftalk dlq list` prints them, such as 0-17"
        )
    return int(found[1]), int(found[2])


def _told(letter: Letter, *, redriven: bool) -> dict[str, Any]:
    return {
        "id": letter.id,
        "at_ms": letter.at_ms,
        "topic": letter.topic,
        "partition": letter.source_partition,
        "offset": letter.source_offset,
        "timestamp_ms": letter.source_ms,
        "reason": letter.reason,
        "detail": letter.detail,
        "attempts": letter.attempts,
        "key": _text(letter.key),
        "value_bytes": len(letter.value or b"") if letter.cut_bytes is None else letter.cut_bytes,
        "redriven": redriven,
    }


def _contents(letter: Letter) -> dict[str, Any]:
    """Bytes are base64: they need be no text."""
    return {
        "key_base64": None if letter.key is None else base64.b64encode(letter.key).decode(),
        "value_base64": None if letter.value is None else base64.b64encode(letter.value).decode(),
        "headers": [[name, base64.b64encode(value).decode()] for name, value in letter.headers],
    }


def _page(letter: Letter, *, redriven: bool) -> Iterator[str]:
    """For a person. Nothing of it is obeyed by a terminal."""
    yield f"letter     {letter.id}, set aside {_moment(letter.at_ms)} UTC{', sent again since' if redriven else ''}"
    yield f"from       {safe(letter.topic)}, partition {letter.source_partition}, offset {letter.source_offset}"
    yield f"sent       {_moment(letter.source_ms)} UTC"
    yield f"reason     {safe(letter.reason)}: {safe(letter.detail)}"
    yield f"attempts   {letter.attempts}"
    yield f"key        {'none' if letter.key is None else safe(_text(letter.key) or '')}"
    for name, value in letter.headers:
        yield f"header     {safe(name)}: {safe(value.decode(errors='backslashreplace'))}"
    if letter.cut_bytes is not None:
        yield f"value      {letter.cut_bytes:,} bytes, which did not fit beside the headers; only the sender has them"
        return
    yield f"value      {len(letter.value or b''):,} bytes"
    yield ""
    yield from _readable(letter.value or b"")


def _readable(value: bytes) -> Iterator[str]:
    """JSON is laid out, other text as it is, a line a line."""
    try:
        text = json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    except ValueError:
        text = value.decode(errors="backslashreplace")
    for line in text.split("\n"):
        yield safe(line)


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode(errors="backslashreplace")


def _row(*cells: str) -> str:
    widths = (10, 19, 16, 18, 60)
    return "  ".join(f"{_cut(cell, width):<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def _cut(text: str, width: int) -> str:
    shown = safe(text)
    return shown if len(shown) <= width else f"{shown[: width - 1]}…"


def _moment(at_ms: int) -> str:
    try:
        return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S")
    except (OverflowError, OSError, ValueError):
        return "unknown"


def _count(number: int) -> str:
    return "1 letter" if number == 1 else f"{number:,} letters"
