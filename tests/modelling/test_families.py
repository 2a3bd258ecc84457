"""From a Hugging Face folder of each family to texts, in every variant: built, checked against the reference, written with."""

from pathlib import Path

import pytest

from shelftalk.engine import Engine
from shelftalk.modelling.build import build, load_reference
from shelftalk.modelling.check import check
from shelftalk.modelling.tiny import tiny_config, tiny_weights
from shelftalk.modelling.variants import VARIANTS
from tests.engine.asking import done, one_by_one, some_requests
from tests.modelling.made import write_hugging_face


@pytest.mark.parametrize("family", ["llama", "qwen2", "qwen3"])
def test_every_family_is_built_checked_and_writes(tmp_path: Path, family: str) -> None:
    source = write_hugging_face(tmp_path / "base", tiny_weights(tiny_config(family)))
    build(source, tmp_path / "out", tuple(VARIANTS))
    requests = some_requests(6, seed=4)
    for variant in VARIANTS:
        folder = tmp_path / "out" / variant
        report = check(folder, load_reference(folder, source))
        assert report.passed, (variant, report)
        assert report.same_bits, variant
        with Engine(folder, rows=1, threads=1, ahead=False) as engine:
            alone = one_by_one(engine, requests)
        with Engine(folder, rows=4, threads=1, debug=True) as engine:
            assert [done(future).text for future in [engine.submit(request) for request in requests]] == alone
