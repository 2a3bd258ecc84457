"""What a text costs by the real models, beside the re-render of a card whose price moved.

A worker pays for more than the model's pass: a draft that the review refuses is written again, some texts never come, each one is
judged and kept. So a worker's own beginning is measured: the demo store's products come in, and its shelves have the words written
that they want for them, by the same keeper, desk, engine and review, in a worker's small batches. What that costs in all, for each
text that may be shown in the end, is a generation. Beside it stands the engine's bare figure: first drafts for the same briefs,
sixteen at once, good or bad.
"""

import asyncio
import time
from pathlib import Path
from typing import Any, Final

from shelftalk.bench.shelf.world import NOW_MS, say
from shelftalk.core.brief import Brief
from shelftalk.core.effects import Write
from shelftalk.core.policy import Policy
from shelftalk.core.prompt import DEFAULT_VARIANT
from shelftalk.core.rules import PHRASEBOOK, ShelfRules
from shelftalk.core.words import Words
from shelftalk.demo.catalogue import Product, load_demo_store
from shelftalk.errors import ShelftalkError
from shelftalk.evaluate.small_world import SmallWorld
from shelftalk.events.codec import encode

_LONGEST_S: Final = 600.0


def texts(products: int, render_us: float, fence_us: float) -> dict[str, Any]:
    """Both models that come with shelftalk.

    Args:
        products: of the demo store, half of them Chinese where the model writes that; a slow model has an eighth of them.
        render_us: what it costs to render a card anew, ready to send, in microseconds of CPU.
        fence_us: what it costs to pass it on at the fence.
    """
    from shelftalk.modelling.build import ensure_default_model, ensure_small_model  # noqa: PLC0415  slow to import

    print(f"\na price re-render, card and all: {render_us:.1f} us of CPU; {fence_us:.1f} more at the fence")
    found: dict[str, Any] = {"rerender_us": render_us, "fence_us": fence_us, "texts": {}}
    for name, ensure, count in (
        ("shelftalk-mini", ensure_small_model, products),
        ("smollm2-135m-line", ensure_default_model, max(products // 8, 1)),
    ):
        try:
            folder = ensure(lambda message, _: say(message))
        except ShelftalkError as error:  # its base weights cannot be had here
            print(f"{name}: not measured: {error}")
            continue
        row = _measure(folder, count)
        ms = row["cpu_ms"]
        row |= {
            "draft_to_rerender": round(row["draft_cpu_ms"] * 1000 / render_us),
            "to_rerender": round(ms * 1000 / render_us),
            "to_rerender_and_fence": round(ms * 1000 / (render_us + fence_us)),
        }
        found["texts"][name] = row
        print(
            f"{name}: a text that may be shown, as the worker has it written: {ms:.2f} ms of CPU "
            f"({row['drafts']:,} drafts for {row['kept']:,} texts): {row['to_rerender']:,} re-renders, "
            f"{row['to_rerender_and_fence']:,} with the fence; a first draft alone, 16 at once: {row['draft_cpu_ms']:.2f} ms, "
            f"{row['draft_to_rerender']:,} re-renders",
            flush=True,
        )
    return found


def _measure(folder: Path, count: int) -> dict[str, Any]:
    from shelftalk.engine import Engine  # noqa: PLC0415  slow to import

    with Engine(folder, rows=16, queue_limit=20_000) as engine:
        variant = engine.prompt_variant or DEFAULT_VARIANT
        rules = ShelfRules(channel_locales=("en-GB", "zh-CN")).for_model(engine.model_id, variant)
        halves = [load_demo_store(language).products for language in sorted(rules.languages)]
        products = [product for half in halves for product in half[: count // len(halves)]]
        wanted = Wanted()
        _list(SmallWorld(rules, Policy(), desk=wanted), products)
        drafts_ms = _drafts(engine, wanted.briefs[:64])
        return asyncio.run(_written(engine, rules, products)) | {"draft_cpu_ms": round(drafts_ms, 2)}


def _list(world: SmallWorld, products: list[Product]) -> None:
    """The products come into the shop."""
    for number, product in enumerate(products):
        world.take("inventory", product.sku, encode(product.upserted(f"up-{number}", NOW_MS - 1_000)), NOW_MS)


class Wanted:
    """A desk that only notes what is to be written."""

    def __init__(self) -> None:
        self.briefs: list[Brief] = []

    def write(self, effect: Write) -> None:
        """Note it."""
        self.briefs.append(effect.brief)


def _drafts(engine: Any, briefs: list[Brief]) -> float:
    """CPU of one draft in ms, all rows busy."""
    from shelftalk.asking import request_for  # noqa: PLC0415  slow to import

    requests = [request_for(brief, f"draft-{number}", seed=number, top_p=0.92) for number, brief in enumerate(briefs)]
    engine.submit(requests[0]).result(timeout=120)  # the first run allocates
    began_s = time.process_time()
    for done in [engine.submit(request) for request in requests[1:]]:
        done.result(timeout=_LONGEST_S)
    return (time.process_time() - began_s) * 1000 / (len(requests) - 1)


class Counted:
    """The keeper, with the drafts counted that it is given; the desk brings them."""

    def __init__(self, world: SmallWorld) -> None:
        self.drafts = 0
        self.quiet = asyncio.Event()
        self._world = world

    def words(self, words: Words, now_ms: int) -> None:
        """The drafts of a text."""
        self.drafts += len(words.drafts)
        self._world.keeper.words(words, now_ms)
        self._look()

    def failed(self, brief: Brief, now_ms: int) -> None:
        """None came."""
        self.drafts += 1
        self._world.keeper.failed(brief, now_ms)
        self._look()

    def later(self, brief: Brief, now_ms: int) -> None:
        """No shopper waits here."""
        self._world.keeper.later(brief, now_ms)

    def _look(self) -> None:
        self._world.settle(NOW_MS)
        if not self._world.keeper.gauges()["writing"]:
            self.quiet.set()


async def _written(engine: Any, rules: ShelfRules, products: list[Product]) -> dict[str, Any]:
    """What the shelves want is written, and judged."""
    from shelftalk.stream.desk import DeskSettings, EngineDesk  # noqa: PLC0415  slow to import

    desk = EngineDesk(engine, DeskSettings())
    world = SmallWorld(rules, Policy(), desk=desk)
    counted = Counted(world)
    desk.serve(counted, asyncio.get_running_loop())
    began_s, began_cpu_s = time.monotonic(), time.process_time()
    _list(world, products)
    await asyncio.wait_for(counted.quiet.wait(), _LONGEST_S)
    cpu_s, wall_s = time.process_time() - began_cpu_s, time.monotonic() - began_s
    books = world.store.copybooks.values()
    texts = [text for book in books for text in book.texts.values()]
    kept = sum(text.model != PHRASEBOOK for text in texts)
    return {
        "cpu_ms": round(cpu_s * 1000 / kept, 2),
        "wall_ms": round(wall_s * 1000 / kept, 2),
        "drafts": counted.drafts,
        "kept": kept,
        "refused": len(texts) - kept,
    }
