"""What ``lines/GUIDE.md`` demands of a line, as far as a machine can tell.

``problems`` are breaches: the line must be rewritten. ``doubts`` are for a person to look at, since honest
English contains them too ("two minutes later").
"""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import msgspec

from shelftalk.core.brief import Angle, Channel, Promotion, point_slots, slots_for
from shelftalk.train.lines import Line, Product, brief_for

SLOT = re.compile(r"\{([a-z_0-9]*)\}")
_STRAY_BRACE = re.compile(r"[{}]")
_QUOTES = "\u2018\u2019\u201c\u201d"

_SUPERLATIVE = "superlative or guarantee"
_URGENCY = "false urgency"
_OPINION = "other people's opinions"
_LINK = ("a link, tag or address", r"(https?:|www\.|[#@]|\.com\b)")
_SERVICE = "a promise about delivery, returns or warranty"


class Language(msgspec.Struct, frozen=True):
    """What the guide demands in one language.

    Attributes:
        lengths: characters per channel, as a shopper reads them.
        samples: what slots render as, for lengths.
        breaches: what no line may say, as (what it is, pattern).
        openings: worn ones.
        offer: talk of offers and stock, for lines that have none.
        saving: one of these, or a slot, tells a sale.
        back: one of these tells that it is back in stock.
        numbers: number words, to be looked at where no point states them.
        ending: how a line ends.
        opening_length: words, or characters of Chinese, that make an opening.
    """

    lengths: dict[Channel, tuple[int, int]]
    samples: dict[str, str]
    printable: re.Pattern[str]
    breaches: tuple[tuple[str, str], ...]
    openings: re.Pattern[str]
    offer: re.Pattern[str]
    saving: re.Pattern[str]
    back: re.Pattern[str]
    numbers: re.Pattern[str]
    ending: re.Pattern[str]
    opening_length: int


def _samples(name: str, brand: str, currency: str, weekday: str) -> dict[str, str]:
    """Example values of the slots of facts."""
    return {
        "name": name,
        "brand": brand,
        "price": f"{currency}39.00",
        "was_price": f"{currency}49.00",
        "percent_off": "20%",
        "ends_on": weekday,
        "stock_left": "4",
    }


_ENGLISH = Language(
    lengths={Channel.CARD: (35, 105), Channel.AD: (25, 85), Channel.SOCIAL: (70, 210), Channel.COPY: (150, 340)},
    samples=_samples("Fellside Trail 4", "Fellside", "£", "Friday"),
    printable=re.compile(rf"[A-Za-zàâçèéêëîïñôöûüÀÉ ,.;:?!'\"()&/\-\u2013\u2014\u2026°{_QUOTES}]"),
    breaches=(
        (
            _SUPERLATIVE,
            (
                r"\b(best|perfect(ly)?|ultimate|number one|unbeatable|guarantee[ds]?|must-have|revolutionary|world-class"
                r"|cheapest|lowest|unrivalled|flawless|finest|premium)\b"
            ),
        ),
        (
            _URGENCY,
            (
                r"\b(hurry|last chance|don['\u2019]t miss|act now|act fast|limited time|selling fast|going fast|be quick"
                r"|before it['\u2019]s gone|while stocks last|while they last|won['\u2019]t last|snap it up)\b"
            ),
        ),
        (
            _OPINION,
            (
                r"\b(customers? (love|say|rave)|reviews?|(highly|top|best)[- ]rated|rated by|(five|four)[- ]stars?"
                r"|testimonials?)\b"
            ),
        ),
        _LINK,
        (
            _SERVICE,
            r"\b(free (shipping|delivery|returns)|next-day|warrant(y|ies)|money[- ]back|delivered to your door)\b",
        ),
        (
            "American spelling",
            r"\b(color(s|ed|ful)?|flavor(s|ed)?|gray|cozy|aluminum|favorites?|center|fiber|organiz\w+|jewelry)\b",
        ),
        (
            # {was_price} is the lowest price of thirty days before the sale, not what it cost on the day it was carted.
            "a price on the day it was carted",
            r"\bwas \W{0,2}when you (carted|put|saved|added|chose|picked|set|first)\b|\bwhen it went into your (cart|basket)\b",
        ),
    ),
    openings=re.compile(
        r"(looking for|meet (the|your)|discover|introducing|say goodbye|upgrade your|elevate|whether you|experience"
        r"|get ready|still thinking|treat yourself|perfect for)\b",
        re.IGNORECASE,
    ),
    offer=re.compile(
        r"\b(on sale|the sale|reduced|discount(ed)?|bargain|cheaper|price (cut|drop)|sold out|in stock|out of stock"
        r"|money off|marked down|ends (on )?(mon|tues|wednes|thurs|fri|satur|sun)day)\b",
        re.IGNORECASE,
    ),
    saving=re.compile(
        r"\{was_price\}|\{percent_off\}|\b(reduced|reduction|for less|less|cheaper|lower(ed)?|dropped|drops?|down|fell|fallen"
        r"|saving|smaller|shrunk|sale|off|knocked|trimmed|cut)\b",
        re.IGNORECASE,
    ),
    back=re.compile(r"\b(back|returned|returns?|again|restocked|reappeared|home)\b", re.IGNORECASE),
    numbers=re.compile(
        r"\b(two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|hundred"
        r"|thousand|dozen|double|triple|half)\b",
        re.IGNORECASE,
    ),
    ending=re.compile(rf"[.?!][\"'){_QUOTES}]?$"),
    opening_length=4,
)

_CHINESE = Language(
    lengths={Channel.CARD: (10, 46), Channel.AD: (7, 30), Channel.SOCIAL: (28, 110), Channel.COPY: (60, 160)},
    samples=_samples("云栖保温杯", "云栖", "¥", "星期五"),
    printable=re.compile(r"[A-Za-z \-\u4e00-\u9fff，。、；：？！（）《》“”‘’…—·]"),
    breaches=(
        (
            _SUPERLATIVE,
            r"最(?!近|后|初|终|怕|多|少|早|晚|好先|好别)|第一(?=名|品牌|选择|的|[，。])|完美|极致|顶级|绝对|唯一|首选|必备|神器|爆款|保证",
        ),
        (_URGENCY, r"抢|秒杀|手慢|赶紧|赶快|马上|立即|错过|限时|限量|最后(?:一[天次件]|机会)|不等人|倒计时"),
        (_OPINION, r"好评|口碑|评价|晒单|回购|热销|畅销|种草|网红|明星|同款|推荐"),
        _LINK,
        (_SERVICE, r"包邮|免费|赠|次日达|质保|保修|包退|优惠券|红包|满减"),
        (
            "translationese",
            r"一个完美的|为您|您的|之一|进行(?:了)?(?:清洗|使用|选择)|让您|这一切|值得您|享受.{0,6}的体验",
        ),
    ),
    openings=re.compile(r"你还在|还在为|是时候|告别|邂逅|遇见|探索|开启|尽享|解锁|不止是|想象一下|家人们|宝子"),
    offer=re.compile(r"降价|特价|优惠|促销|折扣|便宜了|原价|补货|有货|库存|还剩|仅剩"),
    saving=re.compile(r"\{was_price\}|\{percent_off\}|降|减|便宜|省|低"),
    back=re.compile(r"补货|又有|回来|回到|重新|又上|又摆|又到|再次"),
    numbers=re.compile(r"[两二三四五六七八九十百千万双]"),
    ending=re.compile(r"[。？！…][”’）]?$"),
    opening_length=4,
)

_RULES = {"en": _ENGLISH, "zh": _CHINESE}

#: What an opening of Chinese is counted in: slots and characters.
_UNITS = re.compile(r"\{\w+\}|[\w]")
_CAPS = re.compile(r"\b[A-Z]{4,}\b")


def render_sample(text: str, points: tuple[str, ...], language: str = "en") -> str:
    """The text with example values in its slots."""
    values = _RULES[language].samples | point_slots(points)
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


def _promotion_problems(line: Line, rules: Language) -> list[str]:
    found = []
    if line.angle is Angle.PRICE_DROPPED and line.promo not in {Promotion.SALE, Promotion.ENDING_SOON}:
        found.append(f"price_dropped under {line.promo}")
    match line.promo:
        case Promotion.NONE | Promotion.NEW:
            if offer := rules.offer.search(line.text):
                found.append(f"talks of an offer or stock under {line.promo}: {offer[0]!r}")
        case Promotion.SALE if not rules.saving.search(line.text):
            found.append("sale without the saving")
        case Promotion.ENDING_SOON if "{ends_on}" not in line.text:
            found.append("ending_soon without {ends_on}")
        case Promotion.LOW_STOCK if "{stock_left}" not in line.text:
            found.append("low_stock without {stock_left}")
        case Promotion.BACK_IN_STOCK if not rules.back.search(line.text):
            found.append("back_in_stock without saying so")
        case Promotion.SOLD_OUT:
            found.append("nothing is written for what is sold out")
    return found


def problems(product: Product, line: Line) -> list[str]:
    """Every breach of the guide that can be told from the text; empty when there is none."""
    rules = _RULES[product.language]
    text = line.text
    bare = SLOT.sub("", text)
    found = _slot_problems(product, line) + _promotion_problems(line, rules)
    if bad := sorted({character for character in bare if not rules.printable.match(character)} - {"{", "}"}):
        found.append(f"characters that the generator may not write: {' '.join(map(repr, bad))}")
    found += [f"{what}: {hit[0]!r}" for what, rule in rules.breaches if (hit := re.search(rule, bare, re.IGNORECASE))]
    if opening := rules.openings.match(text):
        found.append(f"banned opening: {opening[0]!r}")
    low, high = rules.lengths[line.channel]
    lengths = len(text), len(render_sample(text, product.points, product.language))
    if max(lengths) < low or min(lengths) > high:
        found.append(f"{lengths[1]} characters, {line.channel} wants {low} to {high}")
    if (line.anchor is not None) != (line.angle in {Angle.GOES_WITH, Angle.LIKE_VIEWED}):
        found.append(f"anchor {line.anchor!r} with angle {line.angle}")
    if not rules.ending.search(text):
        found.append("does not end with a full stop or question mark")
    facts = " ".join((product.kind, *product.points, line.anchor or ""))
    found += [f"capitals: {word}" for word in _CAPS.findall(bare) if word not in facts]
    if text != " ".join(text.split()):
        found.append("stray white space")
    return found


def doubts(product: Product, line: Line) -> list[str]:
    """What a person should look at: number words that no point states, exclamation marks, two brand or price slots."""
    facts = " ".join((product.kind, *product.points, line.anchor or "")).lower()
    words = {word.lower() for word in _RULES[product.language].numbers.findall(SLOT.sub("", line.text))}
    found = [f"number word: {word}" for word in sorted(words) if word not in facts]
    if "!" in line.text:
        found.append("an exclamation mark")
    found += [f"{{{slot}}} twice" for slot, count in Counter(SLOT.findall(line.text)).items() if count > 1]
    return found


def _opening(text: str, language: str) -> str:
    units = _UNITS.findall(text) if language == "zh" else text.lower().split()
    return " ".join(units[: _RULES[language].opening_length])


def repeated(products: Iterable[Product]) -> list[str]:
    """Texts that occur twice, and openings (four words, four characters) that occur more than three times."""
    where: dict[str, list[str]] = defaultdict(list)
    for product in products:
        for line in product.lines:
            where["text: " + line.text.lower()].append(product.source)
            where["opening: " + _opening(line.text, product.language)].append(product.source)
    limits = {"text": 1, "opening": 3}
    return [
        f"{len(sources)} times ({', '.join(sources[:4])}) {what}"
        for what, sources in where.items()
        if len(sources) > limits[what.split(":")[0]]
    ]
