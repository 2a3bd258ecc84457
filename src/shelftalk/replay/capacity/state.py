"""How much state workers keep: read from the changelogs, which are all that a worker needs to begin again."""

import time
from collections import defaultdict

import msgspec
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from shelftalk.replay.partitions import partitions_of
from shelftalk.replay.site import Site
from shelftalk.stream.login import confluent_config
from shelftalk.stream.store import TABLES
from shelftalk.stream.tables import changelog_name

#: Of whom a table grows: everything else grows with products.
SHOPPERS_TABLES = frozenset({"profiles", "erased", "live", "shown"})

#: What a record takes in a log beside key and value: lengths, time, offset and the epoch's header.
_OVERHEAD_BYTES = 30

_TIMEOUT_S = 10.0


class State(msgspec.Struct, frozen=True):
    """The newest value of each key, as a compacted log would keep it, before compression.

    Attributes:
        keys, bytes: by table.
        written: changelog records in all, and their bytes.
    """

    keys: dict[str, int]
    bytes: dict[str, int]
    written: int
    written_bytes: int

    def bytes_of(self, *, shoppers: bool) -> int:
        """Of the tables that grow with shoppers, or of the rest."""
        return sum(size for table, size in self.bytes.items() if (table in SHOPPERS_TABLES) == shoppers)


def read_state(site: Site, timeout_s: float = 60.0) -> State | None:
    """Read the changelogs of a site's workers; ``None`` if that takes too long."""
    topics = {changelog_name(site.group, table): table for table in TABLES}
    config = confluent_config(site.kafka) | {
        "group.id": f"{site.group}-state",
        "enable.auto.commit": False,
        "log_level": 0,
    }
    consumer = Consumer(config)
    sizes: dict[str, dict[bytes, int]] = defaultdict(dict)
    written = written_bytes = 0
    deadline_s = time.monotonic() + timeout_s
    try:
        found = partitions_of(consumer, list(topics), site.kafka.bootstrap_servers)
        places = [TopicPartition(topic, n, OFFSET_BEGINNING) for topic, ns in found.items() for n in ns]
        open_ = {}
        for place in places:
            low, high = consumer.get_watermark_offsets(place, timeout=_TIMEOUT_S)
            if high > low:
                open_[place.topic, place.partition] = high
        consumer.assign(places)
        while open_:
            if time.monotonic() > deadline_s:
                return None
            for message in consumer.consume(1_000, 0.2):
                if message.error() is not None:
                    continue
                table, key, value = topics[message.topic()], message.key() or b"", message.value()
                size = len(key) + len(value or b"") + _OVERHEAD_BYTES
                written, written_bytes = written + 1, written_bytes + size
                if value is None:
                    sizes[table].pop(key, None)
                else:
                    sizes[table][key] = size
                if message.offset() + 1 >= open_.get((message.topic(), message.partition()), 1 << 62):
                    del open_[message.topic(), message.partition()]
    finally:
        consumer.close()
    keys = {table: len(sizes[table]) for table in TABLES}
    totals = {table: sum(sizes[table].values()) for table in TABLES}
    return State(keys, totals, written, written_bytes)
