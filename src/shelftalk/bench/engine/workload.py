"""The briefs that are written about: those of the hand-written lines, with the length of the text that our model writes."""

import dataclasses
import json
import random
from pathlib import Path

from shelftalk.bench.engine.clients import Wanted
from shelftalk.core.brief import slots_for
from shelftalk.core.prompt import MAX_NEW_TOKENS, prompt_for
from shelftalk.engine import Device, Engine, Priority, Request
from shelftalk.engine.model_folder import open_model_folder
from shelftalk.train.lines import brief_for, load_products

#: More than any course serves at the concurrencies of the benchmark, so that no prompt comes twice in a course of ours.
SIZE = 384

_SEED = 7
_ROWS = 32


def write_workload(model: Path, path: Path, threads: int) -> None:
    """Draw the briefs and write each text once, greedily, for its length: peers write as many tokens.

    Args:
        model: our model's folder.
        path: the file to write, JSON of `Wanted`.
        threads: CPU threads.
    """
    briefs = [brief_for(product, line, branded=True) for product in load_products() for line in product.lines]
    briefs = random.Random(_SEED).sample(briefs, SIZE)
    tokenizer = open_model_folder(model).tokenizer
    with Engine(model, device=Device.CPU, rows=_ROWS, queue_limit=SIZE, threads=threads) as engine:
        futures = [
            engine.submit(
                Request(
                    str(number),
                    prompt_for(brief),
                    slots_for(brief),
                    MAX_NEW_TOKENS[brief.channel],
                    Priority.SHOPPER,
                    None,
                )
            )
            for number, brief in enumerate(briefs)
        ]
        lengths = [future.result().new_tokens for future in futures]
    wanted = [
        Wanted(
            text=prompt_for(brief),
            prompt=tokenizer.encode(prompt_for(brief), add_special_tokens=False).ids,
            slots=list(slots_for(brief)),
            new_tokens=length,
            most=MAX_NEW_TOKENS[brief.channel],
        )
        for brief, length in zip(briefs, lengths, strict=True)
    ]
    path.write_text(json.dumps([dataclasses.asdict(one) for one in wanted]), encoding="utf-8")
