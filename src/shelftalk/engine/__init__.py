"""The generation engine: continuous batching for short texts on ONNX Runtime, in one thread."""

from shelftalk.engine.engine import Engine
from shelftalk.engine.request import Completion, Priority, Request
from shelftalk.engine.session import Device
from shelftalk.engine.stats import EngineStats
from shelftalk.engine.writer import Writer, open_writer

__all__ = ["Completion", "Device", "Engine", "EngineStats", "Priority", "Request", "Writer", "open_writer"]
