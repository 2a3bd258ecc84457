"""Training: lines and catalogues in, generators of three families out.

Only this package imports torch, and only inside the modules that need it, so that the base install and the demo never do.

The modules in the order data flows through them. What there is to learn from::

    lines.py           the hand-written lines, loaded and typed
    checks.py          what the guide for writers demands, as far as a machine can tell
    catalogues.py      catalogues, their licences, their products
    clean.py           markup, boilerplate, personal data, duplicates
    keywords.py        keywords and selling points, English and Chinese
    corpus.py          (brief, slotted line) pairs out of catalogues, and what was dropped and why
    skeletons.py       lines without their products, written out with others
    mixture.py         what the small models learn from

The transformer with an adapter (``train line-model``)::

    dataset.py, grounded.py, head.py, llama.py, lora.py, loop.py, sample.py, export.py, line_model.py

What is trained from nothing: the small transformer (``train mini``), the VAE and the GAN (``train headline``)::

    fit.py             the loop: seeded, resumable, with progress
    own_tokenizer.py   byte-level BPE for both languages
    mini.py, mini_model.py
    headline.py, headline_tasks.py, headline_model.py
    picture.py         the loss as a picture and a table
"""
