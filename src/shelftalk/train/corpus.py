"""The corpus: (brief, slotted line) pairs out of catalogues, and a report of what was dropped and why.

In order: licence, markup, boilerplate, personal data, exact and near duplicates, facts into slots, the guard, grounding, the split
by product. A pair that comes through says only what its brief holds; most of what shops write about themselves does not.
"""

import dataclasses
import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone, point_slots
from shelftalk.core.grounding import ungrounded
from shelftalk.core.guard import Outcome, judge
from shelftalk.core.guard_form import LENGTHS
from shelftalk.core.prompt import DEFAULT_VARIANT
from shelftalk.errors import ConfigError
from shelftalk.train.catalogues import READERS, Entry, licence_of, may_train_on, read_catalogue
from shelftalk.train.clean import fingerprint, is_boilerplate, near_duplicates, personal_data, plain, sentences
from shelftalk.train.dataset import Pair, is_held_out
from shelftalk.train.keywords import Keywords, chinese_kind, selling_points
from shelftalk.train.skeletons import Goods

_DIGIT = re.compile(r"\d")
_PRICE = re.compile(r"(?:[$£€¥]\s?)?\d+(?:[.,]\d{2})?\s?(?:dollars|pounds|euros?)?", re.IGNORECASE)
#: What only a model's text has to heed: people wrote these, and a line of a description need not name its product.
_MODELS_ONLY = ("grammar", "empty")
_SMALL_BEGINNING = re.compile(r"[.?!] [a-z]")
_PLAIN_KIND = re.compile(r"[^\W\d_](?:[^\W\d_]|[ '’&-]){1,39}")


@dataclasses.dataclass
class SetReport:
    """What became of one set."""

    name: str
    licence: str
    used: bool
    products: int = 0
    kept_products: int = 0
    candidates: int = 0
    pairs: int = 0
    dropped: Counter[str] = dataclasses.field(default_factory=Counter)


@dataclasses.dataclass
class Corpus:
    """Pairs on both sides of the split, products with what may be said of them, and the report."""

    training: list[Pair]
    held_out: list[Pair]
    goods: list[tuple[str, Goods]]
    reports: list[SetReport]
    leaked: int = 0


class _Product(msgspec.Struct, frozen=True):
    entry: Entry
    kind: str
    points: tuple[str, ...]
    sentences: tuple[str, ...]


def build_corpus(data: Path, held_out: float = 0.1, seed: int = 7) -> Corpus:
    """Read every set in a folder of sets.

    Args:
        data: a folder with a folder for each set, a ``SOURCE.txt`` in each.
        held_out: share of the products that is only measured on.
        seed: of the split.

    Raises:
        ConfigError: there is no set that may be trained on, or one is broken.
    """
    corpus = Corpus([], [], [], [])
    seen: set[str] = set()
    for folder in sorted(path for path in data.iterdir() if path.is_dir()):
        licence = licence_of(folder)
        report = SetReport(folder.name, licence, used=may_train_on(licence) and folder.name in READERS)
        corpus.reports.append(report)
        if not report.used:
            report.dropped["licence" if not may_train_on(licence) else "no product texts"] = 1
            continue
        found: list[tuple[_Product, Pair]] = []
        for product in _products(list(read_catalogue(folder)), report):
            # Points out of running prose are too rough to lend to other lines.
            if not _is_measured(product, held_out, seed) and (
                product.entry.attributes or "\n" in plain(product.entry.text)
            ):
                corpus.goods.append((product.entry.language, Goods(product.kind, product.points)))
            found += [(product, pair) for pair in _pairs(product, report, seen)]
        again = {int(key) for key, _ in near_duplicates((str(at), pair.text) for at, (_, pair) in enumerate(found))}
        report.dropped["line: nearly the same as another"] += len(again)
        for at, (product, pair) in enumerate(found):
            if at not in again:
                report.pairs += 1
                (corpus.held_out if _is_measured(product, held_out, seed) else corpus.training).append(pair)
    if not any(report.used for report in corpus.reports):
        raise ConfigError(f"{data} has no set that may be trained on; sets known: {', '.join(READERS)}")
    corpus.leaked = leaked(corpus)
    return corpus


def _is_measured(product: _Product, held_out: float, seed: int) -> bool:
    """The side of a product: by its name, so that all its rows are on one."""
    return is_held_out(product.entry.name or product.kind, held_out, seed)


def _products(entries: Sequence[Entry], report: SetReport) -> Iterator[_Product]:
    """Each product once, cleaned, with its kind and its points."""
    report.products = len(entries)
    keywords = Keywords(plain(entry.text) or entry.name for entry in entries)
    times = Counter(fingerprint(line) for entry in entries for line in set(sentences(plain(entry.text))))
    often = max(8, len(entries) // 20)
    texts: dict[str, str] = {}
    unique: dict[str, Entry] = {}
    for entry in entries:
        text = plain(entry.text)
        what = fingerprint(f"{entry.name} {text} {' '.join(entry.pairs)}")
        if what in texts:
            report.dropped["product: the same text again"] += 1
            continue
        texts[what] = text
        unique[what] = entry
    # Facts without a text (attributes alone) can't be near duplicates of each other's wording.
    worded = ((key, text) for key, text in texts.items() if len(text) > 40)  # noqa: PLR2004
    near = {key for key, _ in near_duplicates(worded)}
    for key, entry in unique.items():
        if key in near:
            report.dropped["product: nearly the same text"] += 1
            continue
        kind = _kind(entry)
        if not kind:
            report.dropped["product: no plain noun for it"] += 1
            continue
        points = selling_points(entry, keywords.of(texts[key] or entry.name))
        if not points:
            report.dropped["product: no selling point"] += 1
            continue
        kept = []
        for sentence in (*sentences(texts[key]), *entry.pairs):
            report.candidates += 1
            reason = _unfit(sentence, times, often)
            if reason:
                report.dropped[reason] += 1
            else:
                kept.append(sentence)
        report.kept_products += 1
        yield _Product(entry, kind, points, tuple(kept))


def _kind(entry: Entry) -> str:
    if entry.language == "zh":
        return kind if len(kind := chinese_kind(entry.name)) > 1 else ""
    kind = entry.kind.replace("-", " ").strip().lower()
    last = entry.name.lower().split()[-1:] if entry.name else []
    # A category ("apparel") is no noun for a thing; the name's own last word is, where the catalogue has nothing better.
    if (
        kind in {"", "default category", "collections", "men", "women", "gear", "apple", "fragrances", "valentine"}
        and last
    ):
        kind = last[0]
    return kind if _PLAIN_KIND.fullmatch(kind) else ""


def _unfit(sentence: str, times: Counter[str], often: int) -> str | None:
    if is_boilerplate(sentence):
        return "sentence: about the shop"
    if times[fingerprint(sentence)] > often:
        return "sentence: said of very many products"
    what = personal_data(sentence)
    return f"sentence: personal data ({what})" if what else None


def _pairs(product: _Product, report: SetReport, seen: set[str]) -> Iterator[Pair]:
    entry = product.entry
    for sentence in product.sentences:
        text = slotted(entry, product.points, sentence)
        if text is None:
            report.dropped["line: a number without a slot"] += 1
            continue
        channel = _channel(text, entry.language)
        if channel is None:
            report.dropped["line: length"] += 1
            continue
        brief = Brief(
            sku="", kind=product.kind, points=product.points, channel=channel, angle=Angle.INTRODUCE, anchor=None,
            promotion=Promotion.NONE, tone=Tone.PLAIN, branded=bool(entry.brand),
            locale="zh-CN" if entry.language == "zh" else "en-GB", variant=DEFAULT_VARIANT, model="",
        )  # fmt: skip
        if reason := _unprintable(text, product.points):
            report.dropped[reason] += 1
            continue
        verdict = judge(brief, text)
        if verdict.outcome is not Outcome.PASS:
            report.dropped[f"line: guard, {verdict.reasons[0].split(':')[0]}"] += 1
            continue
        if reasons := [reason for reason in ungrounded(brief, text) if not reason.startswith(_MODELS_ONLY)]:
            report.dropped[f"line: not grounded, {reasons[0].split(':')[0]}"] += 1
            continue
        if (what := fingerprint(text) + product.kind) in seen:
            report.dropped["line: the same again"] += 1
            continue
        seen.add(what)
        yield Pair(brief, text)


def _unprintable(text: str, points: Sequence[str]) -> str | None:
    """Why a line teaches nothing about writing, whatever it says."""
    said = fingerprint(text)
    if any(said in fingerprint(point) for point in points):
        return "line: a point and no more"
    return "line: a sentence begins small" if _SMALL_BEGINNING.search(text) else None


def slotted(entry: Entry, points: Sequence[str], sentence: str) -> str | None:
    """A sentence with its facts as slots; None if a number is left that has none."""
    text = " ".join(sentence.split()).strip()
    for slot, value in point_slots(tuple(points)).items():
        text = re.sub(re.escape(value), f"{{{slot}}}", text, flags=re.IGNORECASE)
    for slot, value in (("name", entry.name), ("brand", entry.brand)):
        if value:
            text = re.sub(rf"(?<!\w){re.escape(value)}(?!\w)", f"{{{slot}}}", text, flags=re.IGNORECASE)
    if entry.price:
        text = _PRICE.sub(lambda match: "{price}" if _same_price(match[0], entry.price) else match[0], text)
    text = re.sub(r"\s+([.,;:!?])", r"\1", text)
    if text and text[-1] not in ".!?。！？":
        text += "." if entry.language == "en" else "。"
    if text[:1].islower():
        text = text[0].upper() + text[1:]
    bare = re.sub(r"\{[a-z_]+\d?\}", "", text)
    return None if _DIGIT.search(bare) else text


def _same_price(found: str, price: str) -> bool:
    number = re.sub(r"[^\d.]", "", found.replace(",", ""))
    wanted = re.sub(r"[^\d.]", "", price)
    try:
        return bool(number and wanted) and float(number) == float(wanted)
    except ValueError:
        return False


def _channel(text: str, language: str) -> Channel | None:
    length = len(text) * (2 if language == "zh" else 1)
    for channel in (Channel.CARD, Channel.SOCIAL, Channel.COPY):
        low, high = LENGTHS[channel]
        if low <= length <= high:
            return channel
    return None


def leaked(corpus: Corpus) -> int:
    """Measured texts that training has nearly word for word, of whatever product and set; must be 0."""
    both = [(f"training {at}", pair.text) for at, pair in enumerate(corpus.training)]
    both += [(f"measured {at}", pair.text) for at, pair in enumerate(corpus.held_out)]
    return sum(key.startswith("measured") and like.startswith("training") for key, like in near_duplicates(both))


def as_json(corpus: Corpus) -> dict[str, Any]:
    """The report as one object."""
    return {
        "training_pairs": len(corpus.training),
        "held_out_pairs": len(corpus.held_out),
        "lent_products": len(corpus.goods),
        "leaked": corpus.leaked,
        "sets": [
            {**dataclasses.asdict(report), "dropped": dict(report.dropped.most_common())} for report in corpus.reports
        ],
    }


def spread(goods: Iterable[tuple[str, Goods]], most: int, seed: int = 7) -> list[tuple[str, Goods]]:
    """At most so many products of a kind: a catalogue of a thousand shirts would drown the rest."""
    by_kind: dict[tuple[str, str], list[tuple[str, Goods]]] = defaultdict(list)
    for language, one in goods:
        by_kind[language, one.kind].append((language, one))
    rng = random.Random(seed)
    return [item for items in by_kind.values() for item in rng.sample(items, min(most, len(items)))]
