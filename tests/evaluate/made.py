"""Rows of small logs, by hand."""

from shelftalk.events.log_events import Row

START_MS = 1_800_000_000_000


def row(number: int, session: str, product: str, *, category: str = "c", brand: str = "", cents: int = 1_000) -> Row:
    """One view; `number` is its place and its second."""
    return Row(
        number=number,
        at_ms=START_MS + number * 1_000,
        type="view",
        product_id=product,
        category_id="1",
        category_code=category,
        brand=brand,
        price_minor=cents,
        user_id=f"u-{session}",
        session=session,
    )


def log(*visits: tuple[str, str]) -> list[Row]:
    """Rows of ``(session, products)``, a letter a product, one visit after the other."""
    steps = [(session, product) for session, products in visits for product in products]
    return [row(number, session, product) for number, (session, product) in enumerate(steps)]
