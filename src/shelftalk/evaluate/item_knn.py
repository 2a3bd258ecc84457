"""Item-item kNN by the `implicit` library: cosine between products over the sessions that hold them."""

import warnings
from collections.abc import Sequence

import numpy as np
from implicit.nearest_neighbours import CosineRecommender
from scipy.sparse import csr_matrix

from shelftalk.evaluate.method import Session, best
from shelftalk.events.log_events import Row

#: The library learns in one go: again whenever there is so much more to learn from.
_GROWTH = 1.05

#: And not before there are so many rows more.
_LEAST = 500


class ItemKnn:
    """Similarity to the products of the session, the latest weighing most; fitted anew as the log grows by a twentieth.

    Args:
        neighbours: similar products that the library keeps of each.
    """

    def __init__(self, neighbours: int = 100) -> None:
        self._neighbours = neighbours
        self._number: dict[str, int] = {}
        self._names: list[str] = []
        self._sessions: dict[str, int] = {}
        self._pairs: dict[tuple[int, int], None] = {}
        self._fitted = 0
        self._similar: csr_matrix | None = None

    def learn(self, row: Row, session: Session) -> None:
        """One product more in the session."""
        item = self._number.setdefault(row.product_id, len(self._names))
        if item == len(self._names):
            self._names.append(row.product_id)
        self._pairs[self._sessions.setdefault(session.key, len(self._sessions)), item] = None

    def rank(self, session: Session, at_ms: int, count: int) -> Sequence[str]:
        """By the sum of similarities."""
        del at_ms
        self._fit()
        scores: dict[str, float] = {}
        similar = self._similar
        for age, step in enumerate(reversed(session.steps), start=1):
            item = self._number.get(step.product_id)
            if similar is None or item is None or item >= similar.shape[0]:
                continue
            begin, end = similar.indptr[item], similar.indptr[item + 1]
            for other, value in zip(similar.indices[begin:end], similar.data[begin:end], strict=True):
                name = self._names[other]
                scores[name] = scores.get(name, 0.0) + float(value) / age
        scores.pop(session.current.product_id, None)
        return best(scores.items(), count)

    def _fit(self) -> None:
        if len(self._pairs) < max(self._fitted * _GROWTH, self._fitted + _LEAST):
            return
        self._fitted = len(self._pairs)
        places = np.fromiter(
            (number for pair in self._pairs for number in pair), dtype=np.int64, count=2 * len(self._pairs)
        )
        rows, columns = places[0::2], places[1::2]
        matrix = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(self._sessions), len(self._names)))
        model = CosineRecommender(K=self._neighbours, num_threads=1)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its own copy of the matrix, which it then complains of
            model.fit(matrix, show_progress=False)
        self._similar = model.similarity.tocsr()
