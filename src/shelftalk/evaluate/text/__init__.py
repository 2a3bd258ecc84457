"""What texts are worth: any family of generators, the phrasebook and people on the same held-out briefs.

In the order data flows through them::

    briefs.py      what is to be written: held-out products, pages of cards, foreign test sets
    generate.py    who writes: a family's texts for briefs, with the second tries that the shelf gives
    measures.py    figures of texts beside references
    honesty.py     figures of texts beside their facts: wrong facts, inventions, what the law forbids
    pages.py       figures of a shopper's page
    ../guarding.py the guard on texts known to be good or bad
    perplexity.py  how likely a base model finds a text
    evaluation.py  all of it, for all of them
    report.py      the HTML page
    rate.py        blind rating by people
"""
