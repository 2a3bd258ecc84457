"""What is in a recording, in lines to read."""

from collections import Counter
from datetime import UTC, datetime
from itertools import pairwise

import orjson

from shelftalk.replay.recording import Recording


def contents(recording: Recording) -> list[str]:
    """Counts, keys and times."""
    topics: Counter[str] = Counter()
    types: Counter[str] = Counter()
    keys: dict[str, set[bytes | None]] = {}
    times: list[int] = []
    for row in recording.rows():
        topics[row.topic] += 1
        types[_type(row.value)] += 1
        keys.setdefault(row.topic, set()).add(row.key)
        times.append(row.timestamp_ms)
    about = recording.about
    lasts_s = (max(times) - min(times)) / 1000
    said = [f"{recording.path}: {recording.records:,} records in {len(recording.files)} files, from {about.source}"]
    said += [
        f"  {topic} ({about.streams.get(topic, 'of another system')}): {count:,} records, {len(keys[topic]):,} keys"
        for topic, count in topics.most_common()
    ]
    said.append("  " + ", ".join(f"{kind} {count:,}" for kind, count in types.most_common()))
    pace = f", {recording.records / lasts_s:.3g} a second" if lasts_s else ""
    said.append(f"  {_time(min(times))} to {_time(max(times))}: {lasts_s:,.0f} s{pace}")
    if back := sum(after < before for before, after in pairwise(times)):
        said.append(f"  {back:,} timestamps are earlier than the one before them")
    said.append("  shoppers' ids are " + ("as they were" if about.pseudonyms is None else "pseudonyms"))
    return said


def _type(raw: bytes | None) -> str:
    try:
        fields = orjson.loads(raw or b"")
    except orjson.JSONDecodeError:
        return "unreadable"
    return str(fields.get("type", "no type")) if isinstance(fields, dict) else "unreadable"


def _time(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
