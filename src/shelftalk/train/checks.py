"""What ``lines/GUIDE.md`` demands of a line, as far as a machine can tell.

``problems`` are breaches: the line must be rewritten. ``doubts`` are for a person to look at, since honest
English contains them too ("two minutes later").
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

from shelftalk.core.brief import Angle, Channel, Promotion, point_slots, slots_for
from shelftalk.train.lines import Line, Product, brief_for

#: Characters per channel, from the guide.
LENGTHS = {Channel.CARD: (35, 105), Channel.AD: (25, 85), Channel.SOCIAL: (70, 210), Channel.COPY: (150, 340)}

#: What slots render as, for lengths.
SAMPLE_VALUES = {
    "name": "Fellside Trail 4",
    "brand": "Fellside",
    "price": "£39.00",
    "was_price": "£49.00",
    "percent_off": "20%",
    "ends_on": "Friday",
    "stock_left": "4",
}

SLOT = re.compile(r"\{([a-z_0-9]*)\}")
_STRAY_BRACE = re.compile(r"[{}]")
_QUOTES = "\u2018\u2019\u201c\u201d"
_PRINTABLE = re.compile(rf"[A-Za-zàâçèéêëîïñôöûüÀÉ ,.;:?!'\"()&/\-\u2013\u2014\u2026°{_QUOTES}]")


_BREACHES: tuple[tuple[str, str], ...] = (
    (
        "superlative or guarantee",
        (
            r"\b(best|perfect(ly)?|ultimate|number one|unbeatable|guarantee[ds]?|must-have|revolutionary|world-class"
            r"|cheapest|lowest|unrivalled|flawless|finest|premium)\b"
        ),
    ),
    (
        "false urgency",
        (
            r"\b(hurry|last chance|don['\u2019]t miss|act now|act fast|limited time|selling fast|going fast|be quick"
            r"|before it['\u2019]s gone|while stocks last|while they last|won['\u2019]t last|snap it up)\b"
        ),
    ),
    (
        "other people's opinions",
        (
            r"\b(customers? (love|say|rave)|reviews?|(highly|top|best)[- ]rated|rated by|(five|four)[- ]stars?"
            r"|testimonials?)\b"
        ),
    ),
    ("a link, tag or address", r"(https?:|www\.|[#@]|\.com\b)"),
    (
        "a promise about delivery, returns or warranty",
        r"\b(free (shipping|delivery|returns)|next-day|warrant(y|ies)|money[- ]back|delivered to your door)\b",
    ),
    (
        "American spelling",
        r"\b(color(s|ed|ful)?|flavor(s|ed)?|gray|cozy|aluminum|favorites?|center|fiber|organiz\w+|jewelry)\b",
    ),
)
_OPENINGS = re.compile(
    r"^(looking for|meet (the|your)|discover|introducing|say goodbye|upgrade your|elevate|whether you|experience"
    r"|get ready|still thinking|treat yourself|perfect for)\b",
    re.IGNORECASE,
)
_OFFER = re.compile(
    r"\b(on sale|the sale|reduced|discount(ed)?|bargain|cheaper|price (cut|drop)|sold out|in stock|out of stock"
    r"|money off|marked down|ends (on )?(mon|tues|wednes|thurs|fri|satur|sun)day)\b",
    re.IGNORECASE,
)
_SAVING = re.compile(
    r"\{was_price\}|\{percent_off\}|\b(reduced|reduction|for less|less|cheaper|lower(ed)?|dropped|drops?|down|fell|fallen"
    r"|saving|smaller|shrunk|sale|off|knocked|trimmed|cut)\b",
    re.IGNORECASE,
)
_BACK = re.compile(r"\b(back|returned|returns?|again|restocked|reappeared|home)\b", re.IGNORECASE)
_NUMBER_WORD = re.compile(
    r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|hundred"
    r"|thousand|dozen|double|triple|half)\b",
    re.IGNORECASE,
)
_CAPS = re.compile(r"\b[A-Z]{4,}\b")


def render_sample(text: str, points: tuple[str, ...]) -> str:
    """The text with example values in its slots."""
    values = SAMPLE_VALUES | point_slots(points)
    return SLOT.sub(lambda match: values.get(match[1], match[0]), text)


def _slot_problems(product: Product, line: Line) -> list[str]:
    used = SLOT.findall(line.text)
    allowed = slots_for(brief_for(product, line, branded=True))
    found = [
        f"slot {{{slot}}} is not allowed for {line.promo} with these points" for slot in used if slot not in allowed
    ]
    if _STRAY_BRACE.search(SLOT.sub("", line.text)):
        found.append("a stray brace")
    if used.count("name") > 1:
        found.append("{name} more than once")
    if re.search(r"\ban? \{(name|brand)\}(?!['\w -])", line.text):
        found.append('"a {name}" does not read: it is a title')
    if line.angle is Angle.YOUR_BRAND and "brand" not in used:
        found.append("your_brand without {brand}")
    return found


def _promotion_problems(line: Line) -> list[str]:
    found = []
    if line.angle is Angle.PRICE_DROPPED and line.promo not in {Promotion.SALE, Promotion.ENDING_SOON}:
        found.append(f"price_dropped under {line.promo}")
    match line.promo:
        case Promotion.NONE | Promotion.NEW:
            if offer := _OFFER.search(line.text):
                found.append(f"talks of an offer or stock under {line.promo}: {offer[0]!r}")
        case Promotion.SALE if not _SAVING.search(line.text):
            found.append("sale without the saving")
        case Promotion.ENDING_SOON if "{ends_on}" not in line.text:
            found.append("ending_soon without {ends_on}")
        case Promotion.LOW_STOCK if "{stock_left}" not in line.text:
            found.append("low_stock without {stock_left}")
        case Promotion.BACK_IN_STOCK if not _BACK.search(line.text):
            found.append("back_in_stock without saying so")
        case Promotion.SOLD_OUT:
            found.append("nothing is written for what is sold out")
    return found


def problems(product: Product, line: Line) -> list[str]:
    """Every breach of the guide that can be told from the text; empty when there is none."""
    text = line.text
    bare = SLOT.sub("", text)
    found = _slot_problems(product, line) + _promotion_problems(line)
    if bad := sorted({character for character in bare if not _PRINTABLE.match(character)} - {"{", "}"}):
        found.append(f"characters that the generator may not write: {' '.join(map(repr, bad))}")
    found += [f"{what}: {hit[0]!r}" for what, rule in _BREACHES if (hit := re.search(rule, bare, re.IGNORECASE))]
    if opening := _OPENINGS.search(text):
        found.append(f"banned opening: {opening[0]!r}")
    low, high = LENGTHS[line.channel]
    lengths = len(text), len(render_sample(text, product.points))
    if max(lengths) < low or min(lengths) > high:
        found.append(f"{lengths[1]} characters, {line.channel} wants {low} to {high}")
    if (line.anchor is not None) != (line.angle in {Angle.GOES_WITH, Angle.LIKE_VIEWED}):
        found.append(f"anchor {line.anchor!r} with angle {line.angle}")
    if not re.search(rf"[.?!][\"'){_QUOTES}]?$", text):
        found.append("does not end with a full stop or question mark")
    facts = " ".join((product.kind, *product.points, line.anchor or ""))
    found += [f"capitals: {word}" for word in _CAPS.findall(bare) if word not in facts]
    if text != " ".join(text.split()):
        found.append("stray white space")
    return found


def doubts(product: Product, line: Line) -> list[str]:
    """What a person should look at: number words that no point states, exclamation marks, two brand or price slots."""
    facts = " ".join((product.kind, *product.points, line.anchor or "")).lower()
    words = {word.lower() for word in _NUMBER_WORD.findall(SLOT.sub("", line.text))}
    found = [f"number word: {word}" for word in sorted(words) if word not in facts]
    if "!" in line.text:
        found.append("an exclamation mark")
    found += [f"{{{slot}}} twice" for slot, count in Counter(SLOT.findall(line.text)).items() if count > 1]
    return found


def repeated(products: Iterable[Product]) -> list[str]:
    """Texts that occur twice, and four-word openings that occur more than three times."""
    where: dict[str, list[str]] = defaultdict(list)
    for product in products:
        for line in product.lines:
            where["text: " + line.text.lower()].append(product.source)
            where["opening: " + " ".join(line.text.lower().split()[:4])].append(product.source)
    limits = {"text": 1, "opening": 3}
    return [
        f"{len(sources)} times ({', '.join(sources[:4])}) {what}"
        for what, sources in where.items()
        if len(sources) > limits[what.split(":")[0]]
    ]
