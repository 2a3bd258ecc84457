"""From published weights to a model folder that the engine runs.

``fetch`` -> ``weights`` + ``tokenizer`` -> ``adapter`` -> ``graph`` -> ``quantise`` -> ``build``; ``check`` proves the
result against ``reference``, and ``tiny`` makes a random model through the same code in a second.
"""
