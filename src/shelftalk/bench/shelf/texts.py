"""What a text costs by the real models, beside the re-render of a card whose price moved."""

import time
from pathlib import Path
from typing import Any

from shelftalk.bench.shelf.world import WORDS, say
from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.prompt import DEFAULT_VARIANT
from shelftalk.errors import ShelftalkError


def texts(count: int, render_us: float, fence_us: float) -> dict[str, Any]:
    """Both models that come with shelftalk, all cores and rows busy.

    Args:
        count: texts of each.
        render_us: what it costs to render a card anew, ready to send, in microseconds of CPU.
        fence_us: what it costs to pass it on at the fence.
    """
    from shelftalk.modelling.build import ensure_default_model, ensure_small_model  # noqa: PLC0415  slow to import

    print(f"\na price re-render, card and all: {render_us:.1f} us of CPU; {fence_us:.1f} more at the fence")
    found: dict[str, Any] = {"rerender_us": render_us, "fence_us": fence_us, "texts": {}}
    for name, ensure in (("shelftalk-mini", ensure_small_model), ("smollm2-135m-line", ensure_default_model)):
        try:
            folder = ensure(lambda message, _: say(message))
        except ShelftalkError as error:  # its base weights cannot be had here
            print(f"{name}: not measured: {error}")
            continue
        cpu_ms, wall_ms = _measure(folder, count)
        ratio, delivered = cpu_ms * 1000 / render_us, cpu_ms * 1000 / (render_us + fence_us)
        print(
            f"a text by {name}: {cpu_ms:.2f} ms of CPU, {wall_ms:.2f} of the clock: {ratio:,.0f} re-renders, "
            f"{delivered:,.0f} with the fence"
        )
        found["texts"][name] = {
            "cpu_ms": round(cpu_ms, 2),
            "wall_ms": round(wall_ms, 2),
            "to_rerender": round(ratio),
            "to_rerender_and_fence": round(delivered),
        }
    return found


def _measure(folder: Path, count: int) -> tuple[float, float]:
    """CPU and clock of one text, in ms, 16 at a time."""
    from shelftalk.asking import request_for  # noqa: PLC0415  slow to import
    from shelftalk.engine import Engine  # noqa: PLC0415

    with Engine(folder, rows=16, queue_limit=4 * count) as engine:
        variant = engine.prompt_variant or DEFAULT_VARIANT
        requests = [
            request_for(brief, str(number), seed=number, top_p=0.92)
            for number, brief in enumerate(_briefs(count, variant))
        ]
        engine.submit(requests[0]).result(timeout=120)  # the first run allocates
        began_s, began_cpu_s = time.monotonic(), time.process_time()
        for done in [engine.submit(request) for request in requests]:
            done.result(timeout=300)
        wall_ms = (time.monotonic() - began_s) * 1000 / count
        return (time.process_time() - began_cpu_s) * 1000 / count, wall_ms


def _briefs(count: int, variant: str) -> list[Brief]:
    return [
        Brief(
            f"sku-{number}", WORDS[number % len(WORDS)], ("holds its heat", f"{number + 3} cm"), Channel.CARD,
            Angle.INTRODUCE, None, Promotion.NONE, Tone.PLAIN, branded=True, locale="en", variant=variant, model="m",
        )
        for number in range(count)
    ]  # fmt: skip
