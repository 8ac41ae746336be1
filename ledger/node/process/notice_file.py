"""One sentence of a running node in a file of its data folder, for who asks on this machine."""

from pathlib import Path


def put_notice(path: Path, text: str) -> None:
    """What is the case now; an empty text removes the file. Raises OSError.

    Whoever reads meanwhile finds the sentence before or this one, never nothing: a missing notice
    says that all is well.
    """
    if not text:
        path.unlink(missing_ok=True)
        return
    unfinished = path.with_name(path.name + ".new")
    unfinished.write_text(text + "\n", encoding="utf-8")
    unfinished.replace(path)


def read_notice(path: Path) -> str:
    """The sentence; empty when there is none."""
    try:
        return path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return ""
