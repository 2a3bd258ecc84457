"""Results on disk: whole, or as they were before."""

from pathlib import Path


def write_whole(file: Path, content: str | bytes) -> Path:
    """Write a file under another name and rename it, so that an interrupt leaves no half of it; returns the file."""
    raw = content.encode() if isinstance(content, str) else content
    unfinished = file.with_name(f".{file.name}.unfinished")
    try:
        unfinished.write_bytes(raw)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)
    return file
