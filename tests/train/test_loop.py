import dataclasses
import math
from pathlib import Path

import pytest

from shelftalk.modelling.tiny import tiny_config, tiny_weights
from shelftalk.train.dataset import Example

torch = pytest.importorskip("torch", reason="torch is in the extra `train`, not in the base install")

from shelftalk.train.llama import Llama  # noqa: E402
from shelftalk.train.loop import LoopSettings, Mark, Run, rate_at  # noqa: E402
from shelftalk.train.lora import LoraSettings, adapter_tensors, attach  # noqa: E402
from shelftalk.train.picture import write_table  # noqa: E402

HEAD_IDS = [2, *range(3, 15), *range(40, 120)]
EXAMPLES = [Example([1, 50 + n, 60 + n % 7], [70 + n % 5, 80 + n % 3, 3 + n % 12, 2]) for n in range(24)]
SETTINGS = LoopSettings(epochs=12, batch=4, peak_rate=2e-2, evaluations=1, patience=99, checkpoint_every=10)


def run_in(folder: Path, settings: LoopSettings = SETTINGS) -> Run:
    weights = tiny_weights(tiny_config(tied=True))
    rows = torch.from_numpy(weights["model.embed_tokens.weight"][3:15].copy())
    model = Llama(weights, HEAD_IDS, rows, list(range(3, 15)))
    # Without dropout: a run that goes on draws its masks anew, so only then is it the same to the last digit.
    attach(model, LoraSettings(first_layer=1, rank=8, alpha=16.0, dropout=0.0), seed=1)
    return Run(model, [EXAMPLES], EXAMPLES[:6], first_layer=1, settings=settings, folder=folder)


def test_it_learns(tmp_path: Path) -> None:
    run = run_in(tmp_path)
    run.train(lambda _: None)
    first = run.marks[0].held_out_loss
    assert first is not None
    assert run.best_loss < first / 3


def test_a_run_that_is_cut_off_ends_like_one_that_is_not(tmp_path: Path) -> None:
    whole = run_in(tmp_path / "whole")
    whole.train(lambda _: None)

    class Cut(Exception):  # noqa: N818 (not an error of ours)
        pass

    def cut(mark: Mark) -> None:
        if mark.step == 40:
            raise Cut

    with pytest.raises(Cut):
        run_in(tmp_path / "cut").train(cut)
    resumed = run_in(tmp_path / "cut")
    resumed.train(lambda _: None)
    assert resumed.step == whole.step
    for (name, one), (_, other) in zip(adapter_tensors(whole.model), adapter_tensors(resumed.model), strict=True):
        torch.testing.assert_close(one, other, msg=lambda text, name=name: f"{name}: {text}")


def test_it_stops_when_the_held_out_loss_no_longer_falls(tmp_path: Path) -> None:
    run = run_in(tmp_path, dataclasses.replace(SETTINGS, peak_rate=0.0, patience=2))
    run.train(lambda _: None)
    assert run.step < SETTINGS.epochs * run.steps_an_epoch


def test_what_is_learned_when_time_is_up_is_measured_and_kept(tmp_path: Path) -> None:
    run = run_in(tmp_path, dataclasses.replace(SETTINGS, minutes=0))
    run.train(lambda _: None)
    assert run.step == 1
    assert run.marks[-1].held_out_loss is not None
    assert run.best_loss == min(mark.held_out_loss or math.inf for mark in run.marks)


def test_the_rate_rises_then_falls_to_a_twentieth() -> None:
    rates = [rate_at(step, 100, SETTINGS) for step in range(100)]
    top = rates.index(max(rates))
    assert rates[: top + 1] == sorted(rates[: top + 1])
    assert rates[top:] == sorted(rates[top:], reverse=True)
    assert math.isclose(max(rates), SETTINGS.peak_rate)
    assert rates[-1] < SETTINGS.peak_rate / 19


def test_the_table_has_a_row_a_mark(tmp_path: Path) -> None:
    write_table([Mark(1, 0.5, 2.0, 3.0, 1e-3, 4.0), Mark(2, 1.0, 2.0, 3.0, 1e-3, 4.0, 3.9)], tmp_path / "loss.csv")
    rows = (tmp_path / "loss.csv").read_text().splitlines()
    assert rows[0].startswith("step,epoch")
    assert rows[1:] == ["1,0.5,2.0,3.0,0.001,4.0,", "2,1.0,2.0,3.0,0.001,4.0,3.9"]
