"""One forward pass at a time: binding, prefill and decode. It knows rows and tokens, not requests."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from shelftalk.engine.buckets import NO_GRAPH, Buckets, run_options
from shelftalk.engine.drafter import DEPTH
from shelftalk.engine.fact_lock import FactLock
from shelftalk.engine.kv_cache import ELEMENTS, KVCache
from shelftalk.engine.model_folder import ModelFolder
from shelftalk.engine.sampler import Ids, Values, faults
from shelftalk.engine.session import Session
from shelftalk.errors import ModelFolderError

#: The likeliest tokens that selection outside the graph keeps: as many as our graphs give.
TOP_K = 32

_OUR_INPUTS = {"seqlens_k", "total_sequence_length", "last_index", "mask_rows", "mask_index"}

#: Where `try_out` compares `verify` with `decode`: a short text and one longer than a block of any attention kernel seen.
#: As many tokens as a step that guesses ahead feeds at most.
_TRIED_LENGTHS, _TRIED_TOKENS, _STRIDE = (21, 150), DEPTH + 1, 7919

#: Of what goes in for each answer: rows and places.
_RANK = 2

Int64s = npt.NDArray[np.int64]


class Runner:
    """Runs a model's graph: ours, or one of onnxruntime-genai's builder (told apart by the inputs).

    Attributes:
        rows: places in the batch.
        row_tokens: prompt and text together may have this many tokens.
        head: token ids whose keys and values are cached for every prompt that begins with them.
        ours: whether the graph is one of ours, which selects the likeliest tokens itself.
        verifies: whether a row gives the same bits in passes of several tokens, cut anywhere, as in whole prompts and single
            tokens; `try_out` finds out.
        answers_stay: leave the answers on the device, as OrtValues ``[B, P, K]`` instead of arrays, for a `DeviceChooser`. Only
            our graphs can; it is the engine that asks for it, after `try_out`.
    """

    def __init__(
        self,
        folder: ModelFolder,
        session: Session,
        lock: FactLock,
        *,
        rows: int,
        row_tokens: int,
        bucketed: bool = False,
    ) -> None:
        """Check the graph against the folder and allocate the cache.

        Args:
            folder: the model.
            session: of its graph.
            lock: whose masks are added.
            rows: places in the batch.
            row_tokens: prompt and text together may have this many tokens, or the model's context, if shorter.
            bucketed: pad decode steps to a few sizes at fixed addresses, for CUDA graphs (our graphs only).

        Raises:
            ModelFolderError: the graph has inputs that we do not know, or other sizes than the folder says.
        """
        self.rows = rows
        self.row_tokens = min(row_tokens, folder.context_length)
        self.head: tuple[int, ...] = ()
        self.verifies = False
        self.answers_stay = False
        self._held: tuple[int, ...] = ()  # the prompt that row 0 begins with
        self._session = session
        self._lock = lock
        self._names = folder.names
        inputs = {tensor.name: tensor for tensor in session.ort.get_inputs()}
        self.ours = set(inputs) >= _OUR_INPUTS
        self._positions = folder.names.position_ids in inputs
        _check_graph(folder, inputs, {tensor.name: tensor for tensor in session.ort.get_outputs()}, ours=self.ours)
        # One more row than the batch has: it keeps the cached head.
        self.cache = KVCache(folder, session, rows=rows + 1, row_tokens=self.row_tokens)
        self._bindings: dict[tuple[int, int], Any] = {}
        self._answer_buffers: dict[tuple[int, int, bool], tuple[Any, Any]] = {}
        self._mask_version = lock.version
        # On a CPU the tensor is the table itself.
        self._masks = ort.OrtValue.ortvalue_from_numpy(lock.table, session.memory, 0)
        self._buckets = Buckets(session, self.cache, self._masks, folder.names.input_ids, rows)
        self._bucketed = bucketed and self.ours
        self._options = run_options(NO_GRAPH)

    def try_out(self, last_id: int) -> None:
        """Run the graph once each way, so that one that loads but can't run is told at the start.

        Args:
            last_id: the highest token id; the embedding must have it.

        Raises:
            ModelFolderError: it can't run, or gives no numbers.
        """
        masks = self._lock.rows([self._lock.start(())])
        try:
            values, ids = self.prefill(0, [[0, last_id]], masks)
            values, _ = self.decode(ids[0, :1].tolist(), [2], masks)
        except Exception as error:  # ONNX Runtime's own exceptions share no public base
            raise ModelFolderError(f"the graph loads but does not run: {error}") from error
        for fault in faults(values).values():
            raise ModelFolderError(f"the graph runs, but: {fault}")
        # Float caches: one query and several take different kernels, whose sums differ in the last bits.
        if self.ours and self.cache.quantised:
            self.verifies = all(self._same_bits(length, last_id) for length in _TRIED_LENGTHS)

    def _same_bits(self, length: int, last_id: int) -> bool:
        """Whether a few tokens after so many give the same in a pass each, in one, with the prompt, and with its second half."""
        length = min(length, self.row_tokens - _TRIED_TOKENS)
        if length < 1:
            return False
        text = [place * _STRIDE % (last_id + 1) for place in range(length + _TRIED_TOKENS)]
        masks = self._lock.rows([self._lock.start(())] * _TRIED_TOKENS)
        self.prefill(0, [text[:length]], masks[:1])
        singly = [self.decode([token], [length + place], masks[:1]) for place, token in enumerate(text[length:])]
        return all(
            np.array_equal(values[place], one[0]) and np.array_equal(ids[place], other[0])
            for start in (length, 0, length // 2)
            for values, ids in [self.verify(text[start:], start, masks)]
            for place, (one, other) in enumerate(singly)
        )

    def cache_head(self, head: Sequence[int]) -> None:
        """Prefill a prompt's fixed head once; `prefill` with ``cached`` tokens then starts after it."""
        self.head = tuple(head)
        if head:
            self._run(np.asarray([head], np.int64), self.rows, 0, np.zeros(1, np.int64), [len(head) - 1])

    def copy_row(self, source: int, target: int) -> None:
        """Copy a row's keys and values."""
        self._forget(target)
        self.cache.copy_row(source, target)

    def prefill(
        self, first: int, prompts: Sequence[Sequence[int]], masks: Int64s, cached: int = 0
    ) -> tuple[Values, Ids]:
        """Take in prompts and give the likeliest next tokens.

        Shorter prompts are padded on the right. The padding is attended to by nothing that counts: attention is
        causal, and each decoded token overwrites the padding at its place before anything looks there.

        Args:
            first: the row of the first prompt; the others follow side by side.
            prompts: token ids.
            masks: the fact lock's table row for each, int64 ``[B]``.
            cached: how many tokens to take from the cached head. The operator takes a past only in a batch of one.

        Returns:
            values ``[B, K]`` descending, with the masks added, and their tokens ``[B, K]``.
        """
        if cached:
            if len(prompts) != 1:
                raise ValueError("a prompt with a cached head is prefilled alone")
            self.copy_row(self.rows, first)
        self._forget(first)
        rest = [prompt[cached:] for prompt in prompts]
        ids = np.zeros((len(rest), max(map(len, rest))), np.int64)
        for row, tokens in enumerate(rest):
            ids[row, : len(tokens)] = tokens
        return self._run(ids, first, cached, masks, [len(tokens) - 1 for tokens in rest])

    def decode(self, tokens: Sequence[int], lengths: Sequence[int], masks: Int64s) -> tuple[Values, Ids]:
        """Feed one token to each of the rows 0 to B-1 and give the likeliest next ones.

        Args:
            tokens: the newest token of each row.
            lengths: tokens that each row has in the cache.
            masks: the fact lock's table row for each, int64 ``[B]``.

        Returns:
            values ``[B, K]`` descending, with the masks added, and their tokens ``[B, K]``.
        """
        if self._bucketed:
            self._refresh_masks()
            return self._buckets.decode(tokens, lengths, masks, stay=self.answers_stay)
        ids = np.asarray(tokens, np.int64).reshape(-1, 1)
        return self._run(ids, 0, np.asarray(lengths, np.int64), masks, [0] * len(tokens))

    def verify(self, tokens: Sequence[int], length: int, masks: Int64s) -> tuple[Values, Ids]:
        """Feed several tokens to row 0 in one pass and give the likeliest next ones after each of the last A.

        What is written beyond the tokens that turn out right is overwritten before anything attends to it.

        Args:
            tokens: what the cache lacks of the row, and A - 1 guesses.
            length: tokens that the row has in the cache.
            masks: the fact lock's table row after each of the last tokens, int64 ``[A]``.

        Returns:
            values ``[A, K]`` descending, with the masks added, and their tokens ``[A, K]``.
        """
        ids = np.asarray([tokens], np.int64)
        return self._run(ids, 0, length, masks, range(len(tokens) - len(masks), len(tokens)))

    def begin(self, prompt: Sequence[int], guesses: Sequence[int], masks: Int64s) -> tuple[Values, Ids]:
        """Take a prompt into row 0 with guesses of its text's first tokens, as `verify`.

        What the row still has of an earlier prompt that began alike is not computed again.
        """
        kept = 0
        while kept < min(len(self._held), len(prompt) - 1) and self._held[kept] == prompt[kept]:
            kept += 1
        self._forget(0)  # unless all goes well
        answers = self.verify([*prompt[kept:], *guesses], kept, masks)
        self._held = tuple(prompt)
        return answers

    def _forget(self, row: int) -> None:
        """Another text's tokens come into this row."""
        if row == 0:
            self._held = ()

    def _run(
        self, ids: Int64s, first: int, past: int | Int64s, masks: Int64s, last: Sequence[int]
    ) -> tuple[Values, Ids]:
        """One forward pass of rows ``first`` to ``first + B - 1``.

        Args:
            ids: int64 ``[B, S]``.
            first: the first row.
            past: tokens before them, of all rows or of each.
            masks: the fact lock's table row for each answer, int64 ``[A]``.
            last: the places in `ids` that are answered: one of each row, or A of the only row.
        """
        batch, width = ids.shape
        lengths = np.broadcast_to(np.asarray(past, np.int64) + width, batch)
        last_index = np.asarray(last, np.int64)
        feeds: dict[str, npt.NDArray[Any]] = {self._names.input_ids: ids}
        if self._positions:
            feeds[self._names.position_ids] = (lengths - width)[:, None] + np.arange(width)
        binding = self._binding(first, batch)
        if not self.ours:
            feeds[self._names.attention_mask] = (np.arange(lengths.max()) < lengths[:, None]).astype(np.int64)
            binding.bind_output(self._names.logits, "cpu")
            self._infer(binding, feeds)
            # Outputs come in the order of their first binding: the cache first.
            logits = binding.get_outputs()[-1].numpy()
            at_last = logits[np.arange(batch), last_index].astype(np.float32)
            return select(at_last + self._lock.table[masks])
        feeds["seqlens_k"] = (lengths - 1).astype(np.int32)
        feeds["total_sequence_length"] = np.asarray(lengths.max(), np.int32)
        feeds["last_index"] = last_index.reshape(batch, -1)
        feeds["mask_index"] = masks.reshape(batch, -1)
        self._refresh_masks()
        binding.bind_ortvalue_input("mask_rows", self._masks)
        values, tokens = self._answers(batch, len(masks) // batch)
        binding.bind_ortvalue_output("topk_values", values)
        binding.bind_ortvalue_output("topk_ids", tokens)
        self._infer(binding, feeds)
        if self.answers_stay:
            return values, tokens
        # Copies: the next pass writes into the same buffers.
        return values.numpy().reshape(len(masks), -1).copy(), tokens.numpy().reshape(len(masks), -1).copy()

    def _infer(self, binding: Any, feeds: dict[str, npt.NDArray[Any]]) -> None:
        """Run with these inputs. The caller's `feeds` keep the arrays alive: the binding only borrows their memory."""
        for name, array in feeds.items():
            binding.bind_cpu_input(name, array)
        self._session.ort.run_with_iobinding(binding, self._options)

    def _answers(self, rows: int, places: int) -> tuple[Any, Any]:
        """Buffers of our graphs' answers. Asking a binding for its outputs would wrap all of the cache, each time."""
        key = rows, places, self.answers_stay
        if key not in self._answer_buffers:
            memory = self._session.memory if self.answers_stay else "cpu"
            arrays = (np.zeros((rows, places, TOP_K), dtype) for dtype in (np.float32, np.int64))
            values, tokens = (ort.OrtValue.ortvalue_from_numpy(array, memory, 0) for array in arrays)
            self._answer_buffers[key] = values, tokens
        return self._answer_buffers[key]

    def _binding(self, first: int, count: int) -> Any:
        """The binding of these rows, made once: there are at most rows * (rows + 1) / 2 + 1 of them."""
        binding = self._bindings.get((first, count))
        if binding is None:
            binding = self._bindings[first, count] = self._session.ort.io_binding()
            self.cache.bind(binding, first, count)
        return binding

    def _refresh_masks(self) -> None:
        """On a GPU copy the mask table when it has changed, to where it was."""
        if self._mask_version != self._lock.version and self._masks.data_ptr() != self._lock.table.ctypes.data:
            self._masks.update_inplace(self._lock.table)
        self._mask_version = self._lock.version


def select(logits: Values) -> tuple[Values, Ids]:
    """The `TOP_K` largest of ``[B, V]`` masked logits, descending, the smaller id first among equals; NaN stays among them."""
    count = min(TOP_K, logits.shape[1])
    # NaN sorts as the largest, so that a fault is always among the chosen.
    ids = np.argpartition(logits, -count, axis=1)[:, -count:]
    ids.sort(axis=1)
    values = np.take_along_axis(logits, ids, axis=1)
    order = np.argsort(-values, axis=1, kind="stable")
    return np.take_along_axis(values, order, axis=1), np.take_along_axis(ids, order, axis=1).astype(np.int64)


def _check_graph(folder: ModelFolder, inputs: dict[str, Any], outputs: dict[str, Any], *, ours: bool) -> None:
    names = folder.names
    pasts = {name % layer for layer in range(folder.layers) for name in (names.past_key_names, names.past_value_names)}
    needed = {names.input_ids, *(_OUR_INPUTS if ours else {names.attention_mask}), *pasts}
    unknown = set(inputs) - needed - {names.position_ids}
    missing = needed - set(inputs)
    missing |= {"topk_values", "topk_ids"} - set(outputs) if ours else {names.logits} - set(outputs)
    if unknown or missing:
        raise ModelFolderError(f"{folder.graph}: unknown inputs {sorted(unknown)}, missing {sorted(missing)}")
    if ours and len(inputs["mask_index"].shape) != _RANK:
        raise ModelFolderError(f"{folder.graph} was written by an older shelftalk: build the model again")
    past = inputs[names.past_key_names % 0]
    if past.type not in ELEMENTS:
        raise ModelFolderError(f"{folder.graph}: keys and values of {past.type} are not supported")
    sizes = [folder.kv_heads, folder.head_size]
    # genai's builder leaves the width of a head symbolic.
    if any(found != wanted for found, wanted in zip(past.shape[1::2], sizes, strict=True) if isinstance(found, int)):
        raise ModelFolderError(f"{folder.graph}: the cache is {past.shape}, genai_config.json says {sizes}")
    columns = inputs["mask_rows"].shape[1] if ours else outputs[names.logits].shape[-1]
    if columns != folder.columns:
        raise ModelFolderError(f"{folder.graph} gives {columns} logits, the tokenizer and config {folder.columns}")
