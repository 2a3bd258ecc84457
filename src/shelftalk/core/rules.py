"""How shelves decide: everything that a shop may want to set."""

import zlib
from collections.abc import Container

import msgspec

from shelftalk.core.brief import Angle, Channel, Promotion, Tone
from shelftalk.core.meaning import FactRules
from shelftalk.core.prompt import DEFAULT_VARIANT, channels_of, languages_of
from shelftalk.core.substance import LEAST

PHRASEBOOK = "phrasebook"

MINUTE_MS = 60_000


class ShelfRules(msgspec.Struct, frozen=True):
    """How shelves decide.

    Attributes:
        card_ttl_ms: how long a shopper's card is live if nothing replaces it.
        copy_ttl_ms: likewise for product copy, ads and posts.
        max_hops: how often an ask is passed on before it is dropped.
        earned_at: wishes for a text that tells a particular reason ("goes with the kettle", "your brand") before it is written.
            There are hundreds of such briefs a product and few are wanted twice; until then the words that present the product
            for itself do. What lies in the cart or may be running out has its own words from the first.
        takes: wordings of a brief; which one a shopper reads, their pseudonym and the product decide. The first answers for all
            until another has been wanted `earned_at` times, too.
        texts_per_event: texts that an event pays for; where nothing is left, the phrasebook answers.
        texts_per_s: texts that a second pays for at least, so that a quiet shop has its words too.
        texts_at_once: texts that can be saved up, and that there are in the beginning. Like `texts_per_s` it is the whole
            deployment's: each worker has its part by the partitions that it has.
        ahead: what may come of a product: words for it are written when the product is new here, as far as half of what is
            saved up goes, so that a sale that begins finds its words.
        max_attempts: tries per brief before the phrasebook has the last word.
        drafts: asked for in each try, of which the best is taken (`core.choice`); 0 for what suits the model. The budget counts
            tries, not drafts.
        diversity: what remains of a product's rank for each one of its category and brand before it on the page.
        angles: weights of reasons to show a product that differ from `shelftalk.core.angles.WEIGHTS`.
        tones: by placement, where a shop wants that; otherwise the voice is the product's own, so that placements share its texts.
        channels: what is written for everybody about each product, and in which locales; each product in those of
            its own language, if it has any there.
        least: things to say about a product that each of these channels wants (`shelftalk.core.substance`); with fewer it stays
            empty.
        languages: what the model writes; other languages get the phrasebook.
        written: the channels that the model writes for; the phrasebook has the others.
        model: identifies the generator, or ``"phrasebook"`` where there is none.
    """

    facts: FactRules = FactRules()
    card_ttl_ms: int = 30 * MINUTE_MS
    copy_ttl_ms: int = 7 * 24 * 60 * MINUTE_MS
    max_hops: int = 3
    takes: int = 3
    max_attempts: int = 3
    drafts: int = 0
    earned_at: int = 4
    ahead: tuple[Promotion, ...] = (Promotion.SALE, Promotion.LOW_STOCK)
    texts_per_event: float = 0.005
    texts_per_s: float = 2.0
    texts_at_once: int = 2_000
    diversity: float = 0.9
    angles: dict[Angle, float] = {}
    tones: dict[str, Tone] = {}
    channels: dict[Channel, Tone] = msgspec.field(
        default_factory=lambda: {Channel.COPY: Tone.WARM, Channel.AD: Tone.PLAIN, Channel.SOCIAL: Tone.PLAYFUL}
    )
    channel_locales: tuple[str, ...] = ("en-GB",)
    least: dict[Channel, int] = msgspec.field(default_factory=lambda: dict(LEAST))
    languages: frozenset[str] = frozenset({"en"})
    written: frozenset[Channel] = frozenset(Channel)
    variant: str = DEFAULT_VARIANT
    model: str = PHRASEBOOK

    def for_model(self, model: str, variant: str, *, chosen: Container[str] = ()) -> "ShelfRules":
        """The same with a model, which is asked as it was trained and writes what it was trained to.

        Args:
            model: identifies the generator.
            variant: of the prompts that it was trained on.
            chosen: names of the attributes that a shop has set, which stay.
        """
        languages = self.languages if "languages" in chosen else languages_of(variant)
        written = self.written if "written" in chosen else channels_of(variant)
        return msgspec.structs.replace(self, model=model, variant=variant, languages=languages, written=written)

    def tone(self, placement: str, sku: str) -> Tone:
        """How a shopper's card about a product sounds."""
        own = Tone.WARM if zlib.crc32(sku.encode()) % 2 else Tone.PLAIN
        return self.tones.get(placement, own)

    def take(self, shopper_id: str, sku: str) -> int:
        """Which wording a shopper reads of a product: always the same one. What is written for everybody has one."""
        return zlib.crc32(f"{shopper_id}|{sku}".encode()) % max(1, self.takes) if shopper_id else 0
