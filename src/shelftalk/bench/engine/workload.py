"""The briefs that are written about: those of the hand-written lines, with the length of the text that our model writes."""

import dataclasses
import json
import random
from pathlib import Path

from shelftalk.asking import request_for
from shelftalk.bench.engine.clients import Wanted
from shelftalk.core.brief import Brief
from shelftalk.engine import Device, Engine
from shelftalk.engine.model_folder import open_model_folder
from shelftalk.train.lines import brief_for, load_products

#: More than any course serves at the concurrencies of the benchmark, so that no prompt comes twice in a course of ours; for
#: lone callers, whose courses are short, the last `ours.LEARNED` are those that come in none.
SIZE = 512

_SEED = 7
_ROWS = 32


def line_briefs() -> list[Brief]:
    """A brief for every hand-written English line."""
    return [brief_for(product, line, branded=True) for product in load_products() for line in product.lines]


def write_workload(model: Path, path: Path, threads: int) -> None:
    """Draw the briefs and write each text once, greedily, for its length: peers write as many tokens.

    Args:
        model: our model's folder.
        path: the file to write, JSON of `Wanted`.
        threads: CPU threads.
    """
    briefs = random.Random(_SEED).sample(line_briefs(), SIZE)
    tokenizer = open_model_folder(model).tokenizer
    with Engine(model, device=Device.CPU, rows=_ROWS, queue_limit=SIZE, threads=threads) as engine:
        requests = [request_for(brief, str(number), temperature=0.0) for number, brief in enumerate(briefs)]
        futures = [engine.submit(request) for request in requests]
        lengths = [future.result().new_tokens for future in futures]
    wanted = [
        Wanted(
            text=request.prompt,
            prompt=tokenizer.encode(request.prompt, add_special_tokens=False).ids,
            slots=list(request.slots),
            new_tokens=length,
            most=request.max_new_tokens,
        )
        for request, length in zip(requests, lengths, strict=True)
    ]
    path.write_text(json.dumps([dataclasses.asdict(one) for one in wanted]), encoding="utf-8")
