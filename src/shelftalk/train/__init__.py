"""Training: hand-written lines in, a small adapter out.

Only this package imports torch, and only inside the modules that need it (``llama``, ``lora``, ``loop``, ``sample``),
so that the base install and the demo never do.

The modules in the order data flows through them::

    lines.py     the hand-written lines, loaded and typed
    checks.py    what the guide for writers demands, as far as a machine can tell
    dataset.py   lines -> briefs -> token ids; augmentation; the split by product
    head.py      which tokens the pruned head keeps
    llama.py     a minimal Llama in torch
    lora.py      low-rank adapters on it
    loop.py      batches, schedule, checkpoints, early stopping
    picture.py   the loss as a picture and a table
    sample.py    text from the torch model, to be read by a person
    export.py    the adapter folder
"""
