from pathlib import Path
from typing import Any

import pytest

from shelftalk.engine import Device, Engine, session
from shelftalk.errors import GpuUnavailableError, ModelFolderError

no_gpu = not any(Path(path).exists() for path in session._DRIVER_FILES)


@pytest.mark.skipif(not no_gpu, reason="this machine has a GPU")
def test_cuda_without_a_gpu_is_an_error_that_names_what_is_missing(tiny_model: Path) -> None:
    with pytest.raises(GpuUnavailableError, match=r"lib\w+\.so"):
        Engine(tiny_model, device=Device.CUDA)


@pytest.mark.skipif(not no_gpu, reason="this machine has a GPU")
def test_auto_without_a_gpu_is_the_cpu(tiny_model: Path) -> None:
    with Engine(tiny_model) as engine:
        assert engine.device is Device.CPU


def test_a_package_without_cuda_says_which_one_has_it(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("onnxruntime.get_available_providers", lambda: ["CPUExecutionProvider"])
    with pytest.raises(GpuUnavailableError, match="install onnxruntime-gpu"):
        session.open_session(tiny_model / "model.onnx", Device.CUDA)


def test_a_session_that_fell_back_is_refused(tiny_model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = session._load

    def on_the_cpu(graph: Path, _: Any, threads: int | None) -> Any:
        return load(graph, (("CPUExecutionProvider", {}),), threads)

    monkeypatch.setattr(session, "_load", on_the_cpu)
    with pytest.raises(GpuUnavailableError, match="fell back"):
        session.open_session(tiny_model / "model.onnx", Device.CUDA)


def test_auto_with_a_driver_that_does_not_work_warns_and_uses_the_cpu(
    tiny_model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "_DRIVER_FILES", ("/dev/null",))
    monkeypatch.setattr(session, "_require_cuda", _no_cuda)
    opened = session.open_session(tiny_model / "model.onnx", Device.AUTO, threads=1)
    assert opened.device is Device.CPU


def _no_cuda() -> None:
    raise GpuUnavailableError("broken")


def test_what_is_no_graph_is_refused() -> None:
    with pytest.raises(ModelFolderError, match="can't load"):
        session.open_session(b"no graph", Device.CPU)
