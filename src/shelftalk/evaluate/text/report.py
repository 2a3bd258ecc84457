"""The report: one HTML page with tables, plots and texts side by side; nothing is loaded from elsewhere."""

import base64
import html
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from shelftalk.evaluate.text.evaluation import Group, Result
from shelftalk.evaluate.text.measures import shown

#: Columns of the tables: figure, heading, how it is shown, which way is better (+1 more, -1 less, 0 neither).
_PARTS: tuple[tuple[str, tuple[tuple[str, str, str, int], ...]], ...] = (
    (
        "Honesty: the first draft, before the guard sorts",
        (
            ("first_wrong_facts", "wrong facts", "%", -1),
            ("first_invented_claims", "invented claims", "%", -1),
            ("first_ungrounded", "words without a source", "%", -1),
            ("first_false_urgency", "false urgency", "%", -1),
            ("first_banned", "banned words", "%", -1),
            ("passed_first_draft", "first draft passes", "%", 1),
            ("passed_first_try", "one of a try's drafts does", "%", 1),
            ("passed", "passes in three tries", "%", 1),
        ),
    ),
    (
        "Honesty: what is printed",
        (
            ("final_wrong_facts", "wrong facts", "%", -1),
            ("final_invented_claims", "invented claims", "%", -1),
            ("final_ungrounded", "words without a source", "%", -1),
            ("final_false_urgency", "false urgency", "%", -1),
            ("final_banned", "banned words", "%", -1),
        ),
    ),
    (
        "Beside human copy",
        (
            ("bleu", "BLEU", ".1f", 1),
            ("chrf", "chrF", ".1f", 1),
            ("rouge1", "ROUGE-1", ".1f", 1),
            ("rougeL", "ROUGE-L", ".1f", 1),
            ("perplexity", "perplexity", ".0f", 0),
        ),
    ),
    (
        "Variety and form",
        (
            ("distinct_1", "distinct-1", ".3f", 1),
            ("distinct_2", "distinct-2", ".3f", 1),
            ("self_bleu", "self-BLEU", ".1f", -1),
            ("distinct_2_same_length", "distinct-2, as many words", ".3f", 1),
            ("distinct_2_shelf", "distinct-2, each product once", ".3f", 1),
            ("self_bleu_shelf", "self-BLEU, each product once", ".1f", -1),
            ("self_bleu_over_people", "over people's, as many words", "+.1f", -1),
            ("self_bleu_over_people_low", "from", "+.1f", 0),
            ("self_bleu_over_people_high", "to", "+.1f", 0),
            ("different_texts", "different texts", "%", 1),
            ("repetition", "repeats itself", "%", -1),
            ("length_fit", "fits the channel", "%", 1),
            ("names_a_point", "names a point", "%", 1),
            ("tells_the_promotion", "tells the offer by slots", "%", 1),
            ("characters", "characters", ".0f", 0),
        ),
    ),
    (
        "Cost",
        (("median_ms", "ms alone", ".1f", -1), ("texts_per_s", "texts/s", ".1f", 1), ("megabytes", "MB", ".1f", -1)),
    ),
)

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 76rem; padding: 0 1rem; color: #1c2127; background: #fff; }
h1 { font-size: 1.6rem } h2 { margin-top: 2.5rem; border-bottom: 2px solid #e3e7eb; padding-bottom: .2rem } h3 { margin: 1.6rem 0 .4rem; font-size: 1rem; color: #53606c }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin-bottom: 1rem } th, td { padding: .3rem .7rem; text-align: right; border-bottom: 1px solid #e9edf0; vertical-align: top }
th:first-child, td:first-child, .texts td, .texts th { text-align: left } thead th { color: #53606c; font-weight: 600 } td.best { font-weight: 700; color: #0b6b3a }
td.human { color: #8a949e } .texts { table-layout: fixed; width: 100% } .texts td { font-size: .9rem } .brief { color: #53606c } .bad { color: #b42318 } img { max-width: 100% }
.wide { overflow-x: auto } .note { color: #53606c; max-width: 60rem }
"""  # noqa: E501


def write_report(
    path: Path, groups: Sequence[Group], results: Sequence[Result], figures: dict[str, Any], samples: int = 14
) -> None:
    """Write the page."""
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>",
        f"<title>shelftalk: texts</title><style>{_STYLE}</style><h1>What the texts are worth</h1>",
        (
            "<p class=note>Every contestant wrote for the same briefs, of products that no training saw. Bold is the best "
            "of a column, people apart. The guard that refuses texts in the shop also counts faults here, so what is printed "
            "has none that it knows; the first drafts tell the families apart. A text that fails three times is left to the "
            "phrasebook, as in the shop. Words without a source: of no fact and not of the trade; people's lines are full of "
            "them, a model's are refused for them.</p>"
        ),
    ]
    if figures.get("ladder"):
        parts.append("<h2>Who writes</h2>" + _mapping(figures["ladder"]))
    for group in groups:
        mine = [result for result in results if result.group == group.name]
        parts.append(f"<h2>{html.escape(group.name)}</h2>{_plot(mine)}")
        parts += [_table(title, columns, mine) for title, columns in _PARTS]
        parts.append(_texts(group, mine, samples))
    if figures.get("pages"):
        parts.append(
            "<h2>A shopper's page</h2><p class=note>Six cards of the demo store on a page, in English.</p>"
            + _mapping(figures["pages"])
        )
    if figures.get("guard"):
        parts.append("<h2>The guard on texts known to be good or bad</h2>" + _mapping(figures["guard"]))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(parts) + "</html>\n", encoding="utf-8")


def _shown_figure(value: float | None, how: str) -> str:
    if value is None:
        return "–"  # noqa: RUF001
    return f"{100 * value:.1f} %" if how == "%" else f"{value:{how}}"


def _table(title: str, columns: Sequence[tuple[str, str, str, int]], results: Sequence[Result]) -> str:
    columns = [column for column in columns if any(column[0] in result.figures for result in results)]
    if not columns:
        return ""
    best: dict[str, float] = {}
    for name, _, _, way in columns:
        values = [r.figures[name] for r in results if name in r.figures and r.contestant.family != "human"]
        if values and way:
            best[name] = max(values) if way > 0 else min(values)
    rows = []
    for result in results:
        human = result.contestant.family == "human"
        cells = []
        for name, _, how, _ in columns:
            value = result.figures.get(name)
            kind = "human" if human else "best" if value is not None and value == best.get(name) else ""
            cells.append(f"<td class={kind or 'other'}>{_shown_figure(value, how)}</td>")
        rows.append(f"<tr><td>{html.escape(result.contestant.name)}</td>{''.join(cells)}</tr>")
    heads = "".join(f"<th>{heading}</th>" for _, heading, _, _ in columns)
    return (
        f"<h3>{title}</h3><div class=wide><table><thead><tr><th></th>{heads}</tr></thead>{''.join(rows)}</table></div>"
    )


def _mapping(figures: dict[str, dict[str, Any]]) -> str:
    names = [
        name
        for name in dict.fromkeys(name for row in figures.values() for name in row)
        if not any(isinstance(row.get(name), dict) for row in figures.values())
    ]
    heads = "".join(f"<th>{name.replace('_', ' ')}</th>" for name in names)
    rows = "".join(
        f"<tr><td>{html.escape(who)}</td>" + "".join(f"<td>{_cell(row.get(name))}</td>" for name in names) + "</tr>"
        for who, row in figures.items()
    )
    return f"<div class=wide><table><thead><tr><th></th>{heads}</tr></thead>{rows}</table></div>"


def _cell(value: Any) -> str:
    if value is None:
        return "–"  # noqa: RUF001
    return f"{100 * value:.1f} %" if isinstance(value, float) else html.escape(str(value))


def _texts(group: Group, results: Sequence[Result], samples: int) -> str:
    """The same briefs, everybody's text beside each other."""
    step = max(1, len(group.cases) // samples)
    heads = "".join(f"<th>{html.escape(result.contestant.name)}</th>" for result in results)
    rows = []
    for place in range(0, len(group.cases), step)[:samples] if samples else ():
        brief = group.cases[place].brief
        head = f"{brief.channel}, {brief.angle.replace('_', ' ')}, {brief.promotion.replace('_', ' ')}, {brief.tone}"
        anchor = f" (beside: {brief.anchor})" if brief.anchor else ""
        facts = html.escape(f"{brief.kind}: {'; '.join(brief.points) or 'no points'}{anchor}")
        cells = "".join(
            f"<td{'' if result.written[place].passed or result.contestant.folder is None else ' class=bad'}>"
            f"{html.escape(shown(brief, result.written[place].text))}</td>"
            for result in results
        )
        rows.append(f"<tr><td class=brief><b>{head}</b><br>{facts}</td>{cells}</tr>")
    return (
        "<h3>Side by side (red: refused three times, the phrasebook answers)</h3>"
        f"<table class=texts><thead><tr><th>brief</th>{heads}</tr></thead>{''.join(rows)}</table>"
    )


def _plot(results: Sequence[Result]) -> str:
    """Variety against likeness to human copy, and what passes at once; as an embedded picture."""
    import matplotlib as mpl  # noqa: PLC0415  of the extra `evaluate`

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  only after the backend is chosen

    names = [result.contestant.name for result in results]
    colours = ["#9aa7b1" if result.contestant.family == "human" else "#c2410c" for result in results]
    panels = (
        ("passed_first_draft", "first draft passes"),
        ("distinct_2", "distinct-2"),
        ("self_bleu", "self-BLEU"),
        ("chrf", "chrF to human copy"),
    )
    figure, axes = plt.subplots(1, len(panels), figsize=(13, 0.5 + 0.42 * len(results)), sharey=True)
    for axis, (name, title) in zip(axes, panels, strict=True):
        axis.barh(names, [result.figures.get(name, 0.0) for result in results], color=colours)
        axis.set_title(title, fontsize=10)
        axis.grid(axis="x", alpha=0.3)
    axes[0].invert_yaxis()
    figure.tight_layout()
    out = io.BytesIO()
    figure.savefig(out, format="png", dpi=90, metadata={"Software": None})
    plt.close(figure)
    return f"<img alt='' src='data:image/png;base64,{base64.b64encode(out.getvalue()).decode()}'>"
