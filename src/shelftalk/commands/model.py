"""``shelftalk model``: build, check, time and try the model that writes."""

import contextlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from shelftalk.core.brief import Angle, Brief, Channel, Promotion, Tone
from shelftalk.core.prompt import DEFAULT_VARIANT as DEFAULT_PROMPT
from shelftalk.core.prompt import text_of
from shelftalk.modelling.build import (
    DEFAULT_ADAPTER,
    DEFAULT_MODEL,
    SMALL_MODEL,
    ensure_default_model,
    ensure_small_model,
    load_reference,
)
from shelftalk.modelling.build import build as build_model
from shelftalk.modelling.check import check as check_model
from shelftalk.modelling.fetch import Progress
from shelftalk.modelling.folder import Manifest
from shelftalk.modelling.variants import DEFAULT_VARIANT, VARIANTS

app = typer.Typer(help="Build, check, time and try the model that writes.", no_args_is_help=True)

#: Models that come with shelftalk, and what builds each in the cache.
_SHIPPED = {SMALL_MODEL: ensure_small_model, DEFAULT_ADAPTER: ensure_default_model}

_WHICH = f"A built folder, or {' or '.join(_SHIPPED)}. Left out: {DEFAULT_MODEL}, as a worker has it."
_Model = Annotated[str, typer.Argument(help=_WHICH)]
_Source = Annotated[Path | None, typer.Option(help="GGUF file or Hugging Face folder; SmolLM2-135M if left out.")]
_Adapter = Annotated[Path | None, typer.Option(help="Folder of the adapter.")]

#: What the bench writes about: short and long prompts, slots and none.
_BENCH_BRIEFS = (
    ("pour-over kettle", ("gooseneck spout", "holds 900 ml"), Channel.CARD, Angle.INTRODUCE, Promotion.NONE),
    ("trail running shoes", ("waterproof", "recycled laces", "6 mm lugs"), Channel.AD, Angle.POPULAR, Promotion.SALE),
    ("reading lamp", ("warm light", "folds flat"), Channel.SOCIAL, Angle.SEARCH_MATCH, Promotion.LOW_STOCK),
    ("wool gloves", ("works on screens",), Channel.CARD, Angle.IN_CART, Promotion.ENDING_SOON),
)


@app.command()
def build(
    name: Annotated[
        str, typer.Argument(help=f"One that comes with shelftalk: {' or '.join(_SHIPPED)}. It goes into the cache.")
    ] = DEFAULT_MODEL,
    *,
    source: _Source = None,
    out: Annotated[Path | None, typer.Option(help="Parent of the folders, one for each variant.")] = None,
    variant: Annotated[list[str] | None, typer.Option(help=f"Any of: {', '.join(VARIANTS)}; repeatable.")] = None,
    adapter: _Adapter = None,
) -> None:
    """Make an ONNX model: one that comes with shelftalk, or, with any option, of weights of your own."""
    if name not in _SHIPPED:
        raise typer.BadParameter(f"choose {' or '.join(_SHIPPED)}, or pass --source", param_hint="name")
    with _shown() as progress:
        if source is None and out is None and adapter is None and not variant:
            folder = _SHIPPED[name](progress)
        else:
            folder = build_model(source, out or Path("out/model"), variant or [DEFAULT_VARIANT], adapter, progress)
    manifest = Manifest.read(folder)
    size_mb = sum(entry["bytes"] for entry in manifest.files.values()) / 1e6
    print(f"{folder}: {manifest.name} {manifest.variant}, model_id {manifest.model_id}, {size_mb:.0f} MB")


@app.command()
def check(
    model: _Model = DEFAULT_MODEL,
    *,
    source: _Source = None,
    adapter: _Adapter = None,
    logits: Annotated[bool, typer.Option("--logits/--no-logits", help="Compare with the numpy reference.")] = True,
) -> None:
    """Compare hashes and logits, and prove that rows of a batch don't disturb each other; exit 1 if not."""
    with _shown() as progress:
        folder = _folder_of(model, progress)
        progress("reading the reference weights", 0.0)
        reference = load_reference(folder, source, adapter) if logits else None
        progress("comparing", 0.5)
        report = check_model(folder, reference)
    print(f"{folder}: model_id {report.model_id}, all hashes match")
    if report.divergence is not None:
        print(f"divergence from the reference: {report.divergence:.2g} nats (at most {report.limit:g})")
        print(f"same first choice as the reference: {report.agreement:.1%}")
    print(f"alone and in a batch: {'the same tokens' if report.same_tokens else 'OTHER TOKENS'}", end=", ")
    print("the same bits" if report.same_bits else "scores differ in the last bits")
    raise typer.Exit(0 if report.passed else 1)


@app.command()
def bench(
    model: _Model = DEFAULT_MODEL,
    *,
    rows: Annotated[str, typer.Option(help="Numbers of texts at once.")] = "1,4,8,16",
    requests: Annotated[int, typer.Option(min=1, help="Texts for each number.")] = 48,
    threads: Annotated[int | None, typer.Option(min=1, help="CPU threads.")] = None,
) -> None:
    """Time the engine with this model; the last line is JSON."""
    from shelftalk.asking import request_for  # noqa: PLC0415  --help must not wait for the engine
    from shelftalk.engine import Engine  # noqa: PLC0415

    with _shown() as progress:
        folder = _folder_of(model, progress)
    briefs = [_bench_brief(*settings, variant=_prompt_of(folder)) for settings in _BENCH_BRIEFS]
    figures: dict[str, dict[str, float]] = {}
    for count in (int(part) for part in rows.split(",")):
        with Engine(folder, rows=count, queue_limit=requests + 1, threads=threads) as engine:
            asked = [
                request_for(brief, f"{count}:{number}", seed=number, temperature=0.7)
                for number, brief in ((number, briefs[number % len(briefs)]) for number in range(requests))
            ]
            engine.submit(asked[0]).result()  # the first run allocates
            started = time.perf_counter()
            # Another key than the warm-up's, so that nothing is shared.
            done = [future.result() for future in [engine.submit(request) for request in asked]]
            seconds = time.perf_counter() - started
        tokens = sum(completion.new_tokens for completion in done)
        figures[str(count)] = {"tokens_per_s": round(tokens / seconds, 1), "texts_per_s": round(requests / seconds, 2)}
        print(f"{count:3} at once: {tokens / seconds:7.1f} tokens/s, {requests / seconds:6.2f} texts/s")
    print(json.dumps({"model": str(folder), "requests": requests, "rows": figures}))


@app.command()
def chat(
    kind: Annotated[str, typer.Argument(help="The plain noun of the product, such as 'trail running shoes'.")],
    points: Annotated[list[str] | None, typer.Argument(help="Up to five selling points.")] = None,
    *,
    model: Annotated[str, typer.Option(help=_WHICH)] = DEFAULT_MODEL,
    channel: Annotated[Channel, typer.Option()] = Channel.CARD,
    angle: Annotated[Angle, typer.Option()] = Angle.INTRODUCE,
    anchor: Annotated[str | None, typer.Option(help="The other product of goes_with and like_viewed.")] = None,
    promotion: Annotated[Promotion, typer.Option()] = Promotion.NONE,
    tone: Annotated[Tone, typer.Option()] = Tone.PLAIN,
    branded: Annotated[bool, typer.Option(help="Allow {brand}.")] = False,
    count: Annotated[int, typer.Option(min=1, help="How many texts.")] = 3,
    temperature: Annotated[float, typer.Option(min=0, help="0 is greedy.")] = 0.7,
) -> None:
    """Write texts for one brief, slots unfilled."""
    from shelftalk.asking import request_for  # noqa: PLC0415  --help must not wait for the engine
    from shelftalk.engine import Engine  # noqa: PLC0415

    if not kind.strip():
        raise typer.BadParameter("an empty brief: name the product", param_hint="kind")
    with _shown() as progress:
        folder = _folder_of(model, progress)
    brief = Brief(
        sku="chat",
        kind=kind,
        points=tuple(points or ()),
        channel=channel,
        angle=angle,
        anchor=anchor,
        promotion=promotion,
        tone=tone,
        branded=branded,
        locale="en-GB",
        variant=_prompt_of(folder),
        model="chat",
    )
    with Engine(folder, rows=min(count, 16)) as engine:
        requests = [request_for(brief, str(number), seed=number, temperature=temperature) for number in range(count)]
        futures = [engine.submit(request) for request in requests]
        for future in futures:
            completion = future.result()
            cut = "" if completion.finish_reason == "stop" else " [cut off]"
            print(
                f"{text_of(brief, completion.text)}{cut}   ({completion.new_tokens} tokens, {completion.total_ms:.0f} ms)"
            )


def _folder_of(model: str, progress: Progress) -> Path:
    """The folder of a model that is named, built where it is not yet."""
    return _SHIPPED[model](progress) if model in _SHIPPED else Path(model)


def _prompt_of(folder: Path) -> str:
    """How the model in a folder is asked."""
    return Manifest.read(folder).prompt_variant or DEFAULT_PROMPT


def _bench_brief(
    kind: str, points: tuple[str, ...], channel: Channel, angle: Angle, promotion: Promotion, *, variant: str
) -> Brief:
    return Brief(
        sku="bench",
        kind=kind,
        points=points,
        channel=channel,
        angle=angle,
        anchor=None,
        promotion=promotion,
        tone=Tone.PLAIN,
        branded=True,
        locale="en-GB",
        variant=variant,
        model="bench",
    )


@contextlib.contextmanager
def _shown() -> Iterator[Progress]:
    """A bar on a terminal, otherwise one line for each new step."""
    if not sys.stderr.isatty():
        yield _Lines()
        return
    from rich.console import Console  # noqa: PLC0415  only terminals pay for it
    from rich.progress import BarColumn, TextColumn, TimeElapsedColumn  # noqa: PLC0415
    from rich.progress import Progress as Bar  # noqa: PLC0415

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("starting", total=1.0)
        yield lambda message, share: bar.update(task, description=message, completed=share)


class _Lines:
    """Plain progress: a line when the step changes, and one every ten seconds of a download."""

    def __init__(self) -> None:
        self._last = ("", 0.0)

    def __call__(self, message: str, share: float) -> None:
        step, now = message.partition(",")[0], time.monotonic()
        if step != self._last[0] or now - self._last[1] > 10:  # noqa: PLR2004 (seconds)
            print(f"{share:4.0%} {message}", file=sys.stderr, flush=True)
            self._last = (step, now)
