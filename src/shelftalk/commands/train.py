"""``shelftalk train``: look at the hand-written lines, and train the line model on them."""

import sys
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from shelftalk.train.checks import doubts, problems, repeated
from shelftalk.train.lines import LINES_DIR, load_products

app = typer.Typer(help="Train the generators (extra `train`).", no_args_is_help=True)


@app.command()
def lines(
    folder: Annotated[Path, typer.Option(help="Folder of <language>-*.jsonl files.")] = LINES_DIR,
    language: Annotated[str, typer.Option(help="Which files to read.")] = "en",
    show_doubts: Annotated[bool, typer.Option("--doubts", help="Also what a person should look at.")] = False,
) -> None:
    """Count the hand-written lines and print every breach of the writers' guide; exit 1 if there is one."""
    products = load_products(folder, language)
    every = [(product, line) for product in products for line in product.lines]
    print(f"{len(every)} lines, {len(products)} products")
    for field in ("channel", "angle", "promo", "tone"):
        counts = Counter(str(getattr(line, field)) for _, line in every)
        print(f"  {field}: " + ", ".join(f"{name} {count}" for name, count in counts.most_common()))
    breaches = 0
    for product, line in every:
        for what in problems(product, line):
            breaches += 1
            print(f"{product.source}: {what}: {line.text}")
        if show_doubts:
            for what in doubts(product, line):
                print(f"{product.source}: (to look at) {what}: {line.text}")
    for what in repeated(products):
        print(f"(to look at) {what}")
    print(f"{breaches} breaches")
    if breaches:
        raise typer.Exit(1)


@app.command()
def line_model(
    *,
    base: Annotated[
        Path | None,
        typer.Option(help="The base weights, a .gguf file or a Hugging Face folder. Default: SmolLM2-135M-Instruct."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The adapter folder to write.")] = Path("out/smollm2-135m-line"),
    work: Annotated[Path, typer.Option(help="Checkpoints; a run that was cut off goes on here.")] = Path("out/train"),
    start: Annotated[
        Path | None, typer.Option(help="Second course: go on from this adapter folder, on plain, grounded pairs.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="About a minute: proves the path, not the words.")] = False,
    samples: Annotated[int, typer.Option(help="Texts to print for held-out briefs at the end.")] = 12,
) -> None:
    """Fine-tune SmolLM2-135M on the hand-written lines and write the adapter folder."""
    # torch only where it is needed; without it, the command line names the extra.
    from shelftalk.modelling.fetch import fetch_base  # noqa: PLC0415
    from shelftalk.train.line_model import LineModel, Recipe  # noqa: PLC0415
    from shelftalk.train.loop import Mark  # noqa: PLC0415

    def report(mark: Mark) -> None:
        judged = "" if mark.held_out_loss is None else f"  held-out {mark.held_out_loss:.4f}"
        print(
            f"step {mark.step:5}  epoch {mark.epoch:5.2f}  {mark.seconds:6.0f} s  {mark.tokens_per_second:5.0f} tokens/s"
            f"  loss {mark.training_loss:.4f}{judged}",
        )
        sys.stdout.flush()

    base = base or fetch_base(lambda what, _: print(what)).gguf
    recipe = Recipe.smoke() if smoke else Recipe() if start is None else Recipe.second()
    trainer = LineModel(base, recipe)
    if start is not None:
        trainer.start_from(start)
    run = trainer.train(work / "smoke" if smoke else work, report)
    trainer.export(out, run)
    print(f"wrote {out}")
    if not samples:
        return
    pairs = trainer.held_out_pairs()[:samples]
    for pair, text in zip(pairs, trainer.write([pair.brief for pair in pairs]), strict=True):
        brief = pair.brief
        head = ", ".join(map(str, (brief.channel, brief.angle, brief.promotion, brief.tone)))
        print(f"[{head}] {brief.kind}: {'; '.join(brief.points)}\n  model: {text}\n  human: {pair.text}")
