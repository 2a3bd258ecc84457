"""What differs between two runs, for the terminal and as a page."""

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from html import escape
from pathlib import Path

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from shelftalk.replay import plots
from shelftalk.replay.diff import Changed, Compared, TextDiff
from shelftalk.replay.files import write_whole
from shelftalk.replay.measure import Spread, distribution
from shelftalk.replay.page import figure, ms, page
from shelftalk.replay.result import Result

FILE = "diff.html"

_FIELDS = ("p50", "p90", "p95", "p99", "p999", "max")

#: Texts side by side, at most: beyond that nobody reads on, and the figures say how many there are.
_ON_PAGE, _IN_TERMINAL = 300, 12

_WORDS = re.compile(r"\s+|[^\s]+")


def reservations(before: Result, after: Result) -> list[str]:
    """Why the two are not alike; empty is good."""
    said = []
    if before.recording["fingerprint"] != after.recording["fingerprint"]:
        said.append("they played different recordings: events cannot be matched one by one")
    if before.pace != after.pace:
        said.append("they played at a different pace")
    if before.site != after.site:
        said.append(f"they ran at different places: {before.site}; {after.site}")
    for name, result in (("the first", before), ("the second", after)):
        said += [f"{name} has no latency: {doubt}" for doubt in result.doubts]
    return said


def lines(before: Result, after: Result, texts: TextDiff) -> list[str]:
    """The comparison to read."""
    said = [f"note: {reservation}" for reservation in reservations(before, after)]
    for name, a, b in _spreads(before, after):
        if a.count and b.count:
            moved = ", ".join(
                f"{field} {_move(getattr(a, field), getattr(b, field))}" for field in ("p50", "p95", "p99")
            )
            said.append(f"{name}: {moved}")
    answered = texts.decisions_same + texts.decisions_differ
    if answered:
        said.append(
            f"decisions: {texts.decisions_same:,} of {answered:,} placements show the same product for the same reason; "
            f"{texts.unanswered:,} were answered in one run only"
        )
    if texts.cards:
        said.append("of these: " + _cards(texts))
    if texts.rungs:
        said.append("answered: " + ", ".join(f"{rungs} {count:,}" for rungs, count in texts.rungs.items()))
    if any(texts.reworded):
        said.append(f"reworded: {_reworded(texts)}")
    said += [
        _counted("the model's words", texts.written, texts.by),
        _counted("the phrasebook's", texts.phrasebook, texts.by),
    ]
    return said


def table(texts: TextDiff) -> RenderableType | None:
    """Changed texts side by side; ``None`` if there are none."""
    changed = [*texts.written.changed, *texts.phrasebook.changed]
    if not changed:
        return None
    grid = Table(show_lines=True, title=f"{len(changed):,} changed texts" if len(changed) > _IN_TERMINAL else None)
    grid.add_column("product", ratio=1)
    grid.add_column("before", ratio=2)
    grid.add_column("after", ratio=2)
    for each in changed[:_IN_TERMINAL]:
        about = each.about
        old, new = " / ".join(each.before), " / ".join(each.after)
        grid.add_row(
            Text.assemble((about.name, "bold"), f"\n{about.channel}, {about.angle}, {about.promotion}"),
            _coloured(old, new, "red", old_side=True),
            _coloured(old, new, "green", old_side=False),
        )
    return grid


def write_page(before: Result, after: Result, texts: TextDiff, file: Path) -> Path:
    """Write the page."""
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, page("Two runs compared", _body(before, after, texts)))
    return file


def _body(before: Result, after: Result, texts: TextDiff) -> list[str]:
    same = texts.same_text
    badge = f'<span class="badge {"good" if same else "unsure"}">{"same texts" if same else "texts changed"}</span>'
    parts = [
        f"<h1>Two runs compared {badge}</h1>",
        f'<p class="soft">{escape(_named(before))} (before) and {escape(_named(after))} (after)</p>',
        *(f'<div class="note">{escape(reservation)}</div>' for reservation in reservations(before, after)),
    ]
    parts += ["<h2>Latency</h2>", *_latency(before, after)]
    parts += ["<h2>What was said</h2>", '<div class="box"><table>', *_counts(texts), "</table></div>"]
    for title, compared in (("The model's words", texts.written), ("The phrasebook's words", texts.phrasebook)):
        if compared.changed:
            more = "" if len(compared.changed) <= _ON_PAGE else f" (the first {_ON_PAGE} of {len(compared.changed):,})"
            parts += [f"<h2>{title}, where they changed{more}</h2>", '<div class="box"><table>']
            parts += ["<tr><th>product</th><th>before</th><th>after</th></tr>", *map(_row, compared.changed[:_ON_PAGE])]
            parts.append("</table></div>")
    return parts


def _latency(before: Result, after: Result) -> list[str]:
    head = "".join(f"<th class=r>{field.replace('999', '99.9').replace('max', 'longest')}</th>" for field in _FIELDS)
    rows = []
    for name, a, b in _spreads(before, after):
        for which, spread in (("before", a), ("after", b)):
            cells = "".join(f"<td class=r>{ms(getattr(spread, field))}</td>" for field in _FIELDS)
            rows.append(f"<tr><td>{name}, {which}</td>{cells}</tr>")
    parts = [f'<div class="box"><table><tr><th></th>{head}</tr>{"".join(rows)}</table></div>']
    encoded = [result.histograms.get("answers") for result in (before, after)]
    if before.answers and after.answers and all(encoded):
        drawn: plots.Lines = {}
        for name, colour, histogram in (("before", plots.SKY, encoded[0]), ("after", plots.BLUE, encoded[1])):
            points = distribution(str(histogram))
            drawn[name] = (colour, ([x for x, _ in points], [y for _, y in points]))
        plot = figure("From event to card", "by percentile", plots.by_percentile(drawn), wide=True)
        parts.append(f'<div class="figures" style="margin-top:16px">{plot}</div>')
    return parts


def _counts(texts: TextDiff) -> list[str]:
    answered = texts.decisions_same + texts.decisions_differ
    rows = [
        ("Same product for the same reason", f"{texts.decisions_same:,} of {answered:,} placements"),
        ("Of these", _cards(texts) or "-"),
        ("Answered in one run only", f"{texts.unanswered:,} placements"),
        ("Who answered", ", ".join(f"{rungs} {count:,}" for rungs, count in texts.rungs.items()) or "-"),
        ("Given other words", _reworded(texts)),
        ("The model's words", _counted("", texts.written, texts.by).lstrip(": ")),
        ("The phrasebook's words", _counted("", texts.phrasebook, texts.by).lstrip(": ")),
        ("Models", f"{', '.join(texts.models[0]) or 'none'}; {', '.join(texts.models[1]) or 'none'}"),
    ]
    return [f"<tr><td>{label}</td><td>{escape(value)}</td></tr>" for label, value in rows]


def _cards(texts: TextDiff) -> str:
    return ", ".join(f"{count:,} {fate}" for fate, count in texts.cards.items())


def _reworded(texts: TextDiff) -> str:
    before, after = texts.reworded
    return (
        f"{before:,} cards before and {after:,} after, beside one that began alike (a matter of time, so not compared)"
    )


def _counted(name: str, compared: Compared, by: str) -> str:
    both = compared.same + len(compared.changed)
    equal = "hashes equal" if compared.hash_before == compared.hash_after else "hashes differ"
    what = "briefs" if by == "brief" else "kinds of card (models or prompts differ, so briefs do)"
    return (
        f"{name}: {compared.same:,} of {both:,} {what} in both runs have the same text, {len(compared.changed):,} changed, "
        f"{equal}; {compared.only_before:,} only before, {compared.only_after:,} only after"
    )


def _row(changed: Changed) -> str:
    about = changed.about
    old, new = " / ".join(changed.before), " / ".join(changed.after)
    what = f"{escape(about.name)}<br><span class=soft>{escape(f'{about.channel}, {about.angle}, {about.promotion}')}</span>"
    return f"<tr><td>{what}</td><td>{_marked(old, new, 'del')}</td><td>{_marked(old, new, 'ins')}</td></tr>"


def _marked(old: str, new: str, tag: str) -> str:
    return "".join(
        f"<{tag}>{escape(text)}</{tag}>" if moved else escape(text)
        for text, moved in _pieces(old, new, old_side=tag == "del")
    )


def _coloured(old: str, new: str, colour: str, *, old_side: bool) -> Text:
    text = Text()
    for piece, moved in _pieces(old, new, old_side=old_side):
        text.append(piece, colour if moved else "")
    return text


def _pieces(old: str, new: str, *, old_side: bool) -> list[tuple[str, bool]]:
    """One side of a comparison by words: pieces, and whether they differ from the other side."""
    before, after = _WORDS.findall(old), _WORDS.findall(new)
    pieces = []
    for kind, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        words: Sequence[str] = before[a:b] if old_side else after[c:d]
        if words:
            pieces.append(("".join(words), kind != "equal"))
    return pieces


def _spreads(before: Result, after: Result) -> list[tuple[str, Spread, Spread]]:
    return [
        ("from event to card", before.answers or Spread(), after.answers or Spread()),
        ("from price or stock to card", before.refreshes or Spread(), after.refreshes or Spread()),
    ]


def _move(before: float | None, after: float | None) -> str:
    if not before or after is None:
        return "?"
    return f"{before:.4g} → {after:.4g} ms ({(after - before) / before:+.0%})"


def _named(result: Result) -> str:
    return f"{Path(result.recording['path']).name}, {result.started_at}, {result.site}"
