"""``shelftalk train``: look at the hand-written lines, and train the line model on them."""

import contextlib
import dataclasses
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer

from shelftalk.train.checks import doubts, problems, repeated
from shelftalk.train.lines import LINES_DIR, load_products

if TYPE_CHECKING:
    from shelftalk.train.loop import Mark

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
def corpus(
    data: Annotated[
        Path,
        typer.Argument(exists=True, file_okay=False, help="A folder of sets, a SOURCE.txt with its licence in each."),
    ],
    *,
    out: Annotated[
        Path, typer.Option(file_okay=False, help="pairs and report.json go here; never commit texts.")
    ] = Path("out/corpus"),
    held_out: Annotated[
        float, typer.Option(min=0.0, max=0.5, help="Share of products that is only measured on.")
    ] = 0.1,
) -> None:
    """Build (brief, slotted line) pairs from catalogues, and report what was dropped and why."""
    from rich.console import Console  # noqa: PLC0415  --help must not wait
    from rich.table import Table  # noqa: PLC0415

    from shelftalk.core.brief import Channel  # noqa: PLC0415
    from shelftalk.train.corpus import as_json, build_corpus  # noqa: PLC0415
    from shelftalk.train.lines import LOCALES, cells  # noqa: PLC0415

    built = build_corpus(data, held_out)
    table = Table("set", "licence", "products", "lines", "pairs", "dropped, most first", title="corpus")
    for report in built.reports:
        reasons = ", ".join(f"{reason} {count}" for reason, count in report.dropped.most_common(6))
        licence = "" if report.used else "not used: "
        table.add_row(
            report.name, licence + report.licence[:40], f"{report.kept_products} of {report.products}",
            str(report.candidates), str(report.pairs), reasons,
        )  # fmt: skip
    written = {language: cells(language) for language in LOCALES}
    by_hand = Table(
        "language", "channel", "lines", "cells without a line", title="hand-written lines, by channel, angle, promotion"
    )
    for language, counted in written.items():
        for channel in Channel:
            of_it = {
                f"{angle}/{promotion}": count for (on, angle, promotion), count in counted.items() if on is channel
            }
            empty = [cell for cell, count in of_it.items() if not count]
            by_hand.add_row(language, channel, str(sum(of_it.values())), ", ".join(empty) or "none")
    Console(width=170).print(table, by_hand)
    out.mkdir(parents=True, exist_ok=True)
    for name, pairs in (("training", built.training), ("held-out", built.held_out)):
        with (out / f"{name}.jsonl").open("wb") as file:
            for pair in pairs:
                file.write(
                    msgspec.json.encode({"brief": msgspec.structs.asdict(pair.brief), "text": pair.text}) + b"\n"
                )
    figures = as_json(built)
    figures["hand_written"] = {
        language: {"/".join(cell): count for cell, count in counted.items()} for language, counted in written.items()
    }
    (out / "report.json").write_bytes(msgspec.json.format(msgspec.json.encode(figures), indent=1) + b"\n")
    print(
        msgspec.json.encode(
            {key: value for key, value in figures.items() if key not in {"sets", "hand_written"}}
        ).decode()
    )


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

    base = base or fetch_base(lambda what, _: print(what)).gguf
    recipe = Recipe.smoke() if smoke else Recipe() if start is None else Recipe.second()
    trainer = LineModel(base, recipe)
    if start is not None:
        trainer.start_from(start)
    run = trainer.train(work / "smoke" if smoke else work, _report)
    trainer.export(out, run)
    print(f"wrote {out}")
    if not samples:
        return
    pairs = trainer.held_out_pairs()[:samples]
    for pair, text in zip(pairs, trainer.write([pair.brief for pair in pairs]), strict=True):
        brief = pair.brief
        head = ", ".join(map(str, (brief.channel, brief.angle, brief.promotion, brief.tone)))
        print(f"[{head}] {brief.kind}: {'; '.join(brief.points)}\n  model: {text}\n  human: {pair.text}")


@app.command()
def mini(
    *,
    out: Annotated[Path, typer.Option(help="The model folder to write (Hugging Face layout).")] = Path(
        "out/shelftalk-mini"
    ),
    work: Annotated[Path, typer.Option(help="Checkpoints; a run that was cut off goes on here.")] = Path("out/mini"),
    data: Annotated[Path | None, typer.Option(help="Catalogues whose products are lent to the lines.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    start: Annotated[Path | None, typer.Option(help="Go on from this model, with gentler steps.")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="About a minute: proves the path, not the words.")] = False,
) -> None:
    """Train the small bilingual model from nothing, on skeletons of lines written out with many products."""
    from shelftalk.modelling.config import read_json  # noqa: PLC0415  torch only where it is needed
    from shelftalk.train.corpus import build_corpus, spread  # noqa: PLC0415
    from shelftalk.train.mini_model import MiniRecipe, train_mini, write_model  # noqa: PLC0415
    from shelftalk.train.mixture import gather, survey  # noqa: PLC0415

    recipe = MiniRecipe.smoke() if smoke else MiniRecipe()
    if steps is not None:
        recipe = dataclasses.replace(
            recipe, fit=dataclasses.replace(recipe.fit, steps=steps), pairs=steps * recipe.batch
        )
    if start is not None:
        # Another seed than the course before had: it writes out other pairs.
        before = read_json(start / "config.json")["shelftalk"]["training"]["recipe"]["seed"]
        recipe = dataclasses.replace(recipe, peak_rate=recipe.peak_rate / 2, seed=int(before) + 1)
    material = gather(spread(build_corpus(data).goods, most=4) if data else ())
    print(", ".join(f"{name} {count}" for name, count in survey(material).items()))
    fitted, tokenizer_json, figures = train_mini(recipe, material, work / "smoke" if smoke else work, _report, start)
    write_model(out, fitted, tokenizer_json, recipe, figures)
    print(f"wrote {out}: held-out loss {fitted.best_loss:.4f}")


@app.command()
def headline(
    family: Annotated[str, typer.Argument(help="vae or gan.")],
    *,
    tokenizer: Annotated[
        Path | None, typer.Option(help="tokenizer.json to share; the small model's, if left out.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The folder to write; out/shelftalk-FAMILY if left out.")] = None,
    work: Annotated[Path, typer.Option(help="Checkpoints; a run that was cut off goes on here.")] = Path(
        "out/headline"
    ),
    data: Annotated[Path | None, typer.Option(help="Catalogues whose products are lent to the lines.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Instead of the recipe's.")] = None,
    start: Annotated[
        Path | None, typer.Option(help="Begin with this model's decoder; a GAN then needs no warm-up to speak of.")
    ] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Seconds: proves the path, not the words.")] = False,
) -> None:
    """Train a headline model: a conditional VAE or a conditional GAN."""
    from shelftalk.modelling.build import SMALL_MODEL  # noqa: PLC0415  torch only where it is needed
    from shelftalk.modelling.config import read_json  # noqa: PLC0415
    from shelftalk.resources import models_dir  # noqa: PLC0415
    from shelftalk.train.corpus import build_corpus, spread  # noqa: PLC0415
    from shelftalk.train.headline_model import HeadlineRecipe, train_headline, write_headline  # noqa: PLC0415
    from shelftalk.train.mixture import gather  # noqa: PLC0415

    if family not in {"vae", "gan"}:
        raise typer.BadParameter(f"family is vae or gan, not {family}")
    kind: Literal["vae", "gan"] = "vae" if family == "vae" else "gan"
    recipe = HeadlineRecipe.smoke(kind) if smoke else HeadlineRecipe(kind)
    if steps is not None:
        recipe = dataclasses.replace(recipe, fit=dataclasses.replace(recipe.fit, steps=steps))
    if start is not None:
        recipe = dataclasses.replace(recipe, task=dataclasses.replace(recipe.task, warm_steps=recipe.fit.steps // 3))
    material = gather(spread(build_corpus(data).goods, most=4) if data else ())
    tokenizer_json = read_json(tokenizer or models_dir() / SMALL_MODEL / "tokenizer.json")
    folder = work / ("smoke" if smoke else "full") / family
    fitted, ids, figures = train_headline(recipe, material, tokenizer_json, folder, _report, start)
    out = out or Path("out") / f"shelftalk-{family}"
    write_headline(out, recipe, fitted, ids, tokenizer_json, figures)
    print(f"wrote {out}: held-out loss {figures['held_out_loss']}")


@app.command(name="all")
def train_all(
    *,
    out: Annotated[Path, typer.Option(help="Parent of the folders.")] = Path("out/trained"),
    data: Annotated[Path | None, typer.Option(help="Catalogues whose products are lent to the lines.")] = None,
    smoke: Annotated[bool, typer.Option("--smoke", help="Minutes: proves every path, not the words.")] = False,
) -> None:
    """Train every family from the lines to an ONNX model that writes a text; what was done already is left as it is."""
    from shelftalk.modelling.build import build  # noqa: PLC0415  torch only where it is needed
    from shelftalk.modelling.headline import build_headline  # noqa: PLC0415

    mini(out=out / "mini", work=out / "work/mini", data=data, steps=None, start=None, smoke=smoke)
    tokenizer = out / "mini/tokenizer.json"
    for family in ("vae", "gan"):
        headline(
            family,
            tokenizer=tokenizer,
            out=out / family,
            work=out / "work",
            data=data,
            steps=None,
            start=None,
            smoke=smoke,
        )
    line_model(base=None, out=out / "line", work=out / "work/line", start=None, smoke=smoke, samples=4)
    _try_out(build(out / "mini", out / "onnx/mini"))
    _try_out(build(None, out / "onnx/line", adapter=out / "line"))
    for family in ("vae", "gan"):
        _try_out(build_headline(out / family, out / "onnx" / family))


def _try_out(folder: Path) -> None:
    """Write one text with a built model: the last proof that it runs."""
    from shelftalk.engine import open_writer  # noqa: PLC0415
    from shelftalk.evaluate.text.generate import example_brief, write_all  # noqa: PLC0415

    with contextlib.closing(open_writer(folder)) as writer:
        print(f"{folder}: {write_all(writer, [example_brief()])[0].text!r}")


def _report(mark: "Mark") -> None:
    judged = "" if mark.held_out_loss is None else f"  held-out {mark.held_out_loss:.4f}"
    print(
        f"step {mark.step:5}  epoch {mark.epoch:5.2f}  {mark.seconds:6.0f} s  {mark.tokens_per_second:5.0f} tokens/s"
        f"  loss {mark.training_loss:.4f}{judged}",
        flush=True,
    )
