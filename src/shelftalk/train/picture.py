"""The losses of a run as a table and a picture."""

import csv
import dataclasses
from collections.abc import Sequence
from pathlib import Path

from shelftalk.train.loop import Mark


def write_table(marks: Sequence[Mark], path: Path) -> None:
    """One row a mark, as CSV."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, [field.name for field in dataclasses.fields(Mark)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(
            {name: round(value, 5) if isinstance(value, float) else value for name, value in row.items()}
            for row in map(dataclasses.asdict, marks)
        )


def write_picture(marks: Sequence[Mark], path: Path, title: str) -> None:
    """Training and held-out loss over epochs, as PNG."""
    import matplotlib as mpl  # noqa: PLC0415 (of the extra `train`; everything else works without)

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415 (only after the backend is chosen)

    figure, axes = plt.subplots(figsize=(7, 4), dpi=110)
    seen = [mark for mark in marks if mark.step]
    axes.plot([m.epoch for m in seen], [m.training_loss for m in seen], color="#9aa7b1", label="training")
    judged = [(mark.epoch, mark.held_out_loss) for mark in seen if mark.held_out_loss is not None]
    axes.plot([x for x, _ in judged], [y for _, y in judged], color="#c2410c", marker="o", label="held-out products")
    axes.set(xlabel="epoch", ylabel="loss, nats a token", title=title)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Software": None})
    plt.close(figure)
