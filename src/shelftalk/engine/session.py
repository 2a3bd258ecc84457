"""Opening an ONNX Runtime session on the device that was asked for, and nowhere else."""

import ctypes
import enum
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime as ort
import structlog

from shelftalk.errors import GpuUnavailableError, ModelFolderError

_log = structlog.get_logger(__name__)

_CUDA, _CPU = "CUDAExecutionProvider", "CPUExecutionProvider"

#: Device files that exist where a driver for NVIDIA GPUs is loaded (Linux; WSL 2).
_DRIVER_FILES = ("/dev/nvidiactl", "/dev/dxg")

#: ONNX Runtime logs a failed CUDA load as errors (3) on stderr; we raise or log it ourselves.
_FATAL_ONLY = 4


class Device(enum.StrEnum):
    """Where the model runs."""

    AUTO = "auto"
    CUDA = "cuda"
    CPU = "cpu"


@dataclass(frozen=True, slots=True)
class Session:
    """An open session.

    Attributes:
        ort: the session.
        device: where it runs: never AUTO.
        threads: of one operator; 0 leaves it to ONNX Runtime.
        providers: with their options, for further small sessions on the same device.
        cuda_graphs: whether runs may be captured in CUDA graphs.
    """

    ort: Any
    device: Device
    threads: int
    providers: tuple[tuple[str, dict[str, str]], ...]
    cuda_graphs: bool = False

    @property
    def memory(self) -> str:
        """The device's name in ONNX Runtime's I/O binding."""
        return str(self.device)


def open_session(
    graph: Path | bytes,
    device: Device,
    *,
    threads: int | None = None,
    gpu_mem_limit_bytes: int | None = None,
    cuda_graphs: bool = False,
) -> Session:
    """Load a graph.

    Args:
        graph: the ONNX file, or its bytes.
        device: AUTO takes the GPU where one works, else the CPU.
        threads: CPU threads of one operator; None leaves it to ONNX Runtime (one a physical core).
        gpu_mem_limit_bytes: what ONNX Runtime's arena on the GPU may take; None leaves it all.
        cuda_graphs: allow runs to be captured, if a GPU has every node of the graph; without one it means nothing.

    Raises:
        GpuUnavailableError: CUDA was asked for and the session would not run there; names what is missing.
        ModelFolderError: ONNX Runtime can't load the graph.
    """
    if device is Device.AUTO:
        if not any(map(os.path.exists, _DRIVER_FILES)):
            return open_session(graph, Device.CPU, threads=threads)
        try:
            return open_session(
                graph,
                Device.CUDA,
                threads=threads,
                gpu_mem_limit_bytes=gpu_mem_limit_bytes,
                cuda_graphs=cuda_graphs,
            )
        except GpuUnavailableError as error:
            _log.warning("the GPU can't be used, the model runs on the CPU", error=str(error))
            return open_session(graph, Device.CPU, threads=threads)
    providers: tuple[tuple[str, dict[str, str]], ...] = ((_CPU, {}),)
    if device is Device.CPU:
        return Session(_load(graph, providers, threads), device, threads or 0, providers)
    _require_cuda()
    options = _cuda_options(gpu_mem_limit_bytes)
    session, captured = _load_cuda(graph, options, threads, cuda_graphs=cuda_graphs)
    if _CUDA not in session.get_providers():
        raise GpuUnavailableError(f"ONNX Runtime fell back to {session.get_providers()}: {_what_is_missing()}")
    return Session(session, device, threads or 0, ((_CUDA, options), *providers), captured)


def _load_cuda(
    graph: Path | bytes, options: dict[str, str], threads: int | None, *, cuda_graphs: bool
) -> tuple[Any, bool]:
    """The session, and whether its runs may be captured: ONNX Runtime refuses where a node would run on the CPU."""
    if cuda_graphs:
        try:
            return _load(graph, ((_CUDA, {**options, "enable_cuda_graph": "1"}), (_CPU, {})), threads), True
        except ModelFolderError as error:
            _log.warning(
                "this model can't be captured in CUDA graphs, its steps are launched one by one", error=str(error)
            )
    return _load(graph, ((_CUDA, options), (_CPU, {})), threads), False


def _load(graph: Path | bytes, providers: tuple[tuple[str, dict[str, str]], ...], threads: int | None) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads or 0
    options.inter_op_num_threads = 1
    if len(providers) > 1:
        options.log_severity_level = _FATAL_ONLY
    source = graph if isinstance(graph, bytes) else str(graph)
    try:
        return ort.InferenceSession(source, options, providers=list(providers))
    except Exception as error:  # ONNX Runtime's own exceptions share no public base
        where = "the graph" if isinstance(graph, bytes) else graph
        raise ModelFolderError(f"{where}: ONNX Runtime can't load it: {error}") from error


def _cuda_options(gpu_mem_limit_bytes: int | None) -> dict[str, str]:
    # The default doubles the arena at each growth; the shapes here are bounded, so exactly what is asked suffices.
    options = {"arena_extend_strategy": "kSameAsRequested"}
    if gpu_mem_limit_bytes is not None:
        options["gpu_mem_limit"] = str(gpu_mem_limit_bytes)
    return options


def _require_cuda() -> None:
    """Make the CUDA libraries of pip's wheels known to the loader, and check that the package has CUDA at all.

    Raises:
        GpuUnavailableError: it has not.
    """
    if _CUDA not in ort.get_available_providers():
        raise GpuUnavailableError(
            f"this onnxruntime has no CUDA ({ort.get_available_providers()}): install onnxruntime-gpu in its place"
        )
    if hasattr(ort, "preload_dlls"):
        ort.preload_dlls()


def _what_is_missing() -> str:
    """Why the CUDA provider did not load, in the loader's own words."""
    capi = Path(ort.__file__).parent / "capi"
    for library in ("libcuda.so.1", capi / "libonnxruntime_providers_shared.so"):
        problem = _load_problem(library)
        if problem:
            hint = " (NVIDIA's driver is not installed)" if library == "libcuda.so.1" else ""
            return f"{problem}{hint}"
    problem = _load_problem(capi / "libonnxruntime_providers_cuda.so")
    if problem:
        return f"{problem} (pip install 'shelftalk[cuda]' brings CUDA and cuDNN)"
    return "the libraries load; is there a GPU, and does its driver fit this CUDA?"


def _load_problem(library: str | Path) -> str:
    try:
        ctypes.CDLL(str(library), mode=ctypes.RTLD_GLOBAL)
    except OSError as error:
        return str(error)
    return ""
