"""The promise about batches on real weights, for every variant that was built on this machine."""

from dataclasses import replace
from pathlib import Path

import pytest

from shelftalk.engine import Engine
from shelftalk.modelling.fetch import cache_dir
from tests.engine.asking import done, one_by_one, some_requests

pytestmark = pytest.mark.model


def built_models() -> list[Path]:
    return sorted(manifest.parent for manifest in (cache_dir() / "models").glob("*/*/manifest.json"))


@pytest.mark.skipif(not built_models(), reason="no model is built: run `shelftalk model build`")
@pytest.mark.parametrize("folder", built_models(), ids=lambda path: "/".join(path.parts[-2:]))
def test_a_text_alone_is_the_text_in_any_batch(folder: Path) -> None:
    requests = [
        replace(request, max_new_tokens=min(16, request.max_new_tokens)) for request in some_requests(16, seed=1)
    ]
    with Engine(folder, rows=1) as engine:
        alone = one_by_one(engine, requests)
    with Engine(folder, rows=7, debug=True) as engine:
        assert [done(future).text for future in [engine.submit(request) for request in requests]] == alone
