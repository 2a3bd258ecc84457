"""Substance: how much there is to say about a product, and how much a channel wants before it says anything.

A text that has nothing to say is longer than it is worth, and costs trust: "Picture it where you would use it. Does it look at home
there?" So what is written for everybody wants things to say: what the product is, each of its selling points, and, but for a
description, what is on offer. A channel that wants more than there is stays empty until the shop tells more. A shopper's card is
never without: the reason why it is shown, with name and price, is enough for one short line.
"""

from collections.abc import Collection, Mapping

from shelftalk.core.brief import Channel, Promotion

#: Things to say that a channel wants: "Kettle, £29" is an ad; a post wants a point or an offer; a description two points.
LEAST: Mapping[Channel, int] = {Channel.AD: 1, Channel.SOCIAL: 2, Channel.COPY: 3}


def things_to_say(kind: str, points: Collection[str], promotion: Promotion, channel: Channel) -> int:
    """How many things a text in a channel could say beside name and price.

    Args:
        kind: what the product is; empty where nobody said.
        points: what may be said of it beside its name; one that its kind says already is none.
        promotion: what is on offer.
        channel: a description tells no offers: what a thing is does not change on Friday.
    """
    telling = [point for point in points if point.casefold() not in kind.casefold()]
    offers = channel is not Channel.COPY and promotion not in {Promotion.NONE, Promotion.SOLD_OUT}
    return bool(kind) + len(telling) + offers
