"""Log lines that nobody can forge: one line for each event, whatever strangers wrote into it.

Names, certificates' subjects and error texts come from outside. A line break in one would begin a
line of the stranger's own, and an escape sequence would paint on the operator's terminal.
"""

import logging
import re
from typing import Any

FIELD_CHARACTERS_MAX = 1_024
"""Of one value in a line; the rest is cut off."""
LINE_CHARACTERS_MAX = 8 * FIELD_CHARACTERS_MAX

# Control characters of both sets, line and paragraph separators, and marks that turn the
# direction of text.
_UNPRINTABLE = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]"
)


class LineFormatter(logging.Formatter):
    """Formats as told, with every message on one line; only tracebacks of ours have more."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        """The line without its traceback."""
        record.message = one_line(_message(record), LINE_CHARACTERS_MAX)
        return super().formatMessage(record)


def one_line(text: str, characters_max: int = FIELD_CHARACTERS_MAX) -> str:
    """The text with what is no printable character escaped, cut to a length."""
    if len(text) > characters_max:
        text = f"{text[:characters_max]}… ({len(text)} characters)"
    return _UNPRINTABLE.sub(_escaped, text)


def _message(record: logging.LogRecord) -> str:
    """The message with long values cut."""
    arguments: Any = record.args
    if isinstance(arguments, tuple):
        arguments = tuple(_short(argument) for argument in arguments)
    text = str(record.msg)
    return text % arguments if arguments else text


def _short(argument: Any) -> Any:
    """Numbers stay numbers for their format; anything else is text here."""
    if isinstance(argument, int | float):
        return argument
    text = str(argument)
    return one_line(text)


def _escaped(match: re.Match[str]) -> str:
    return match.group().encode("unicode_escape", "backslashreplace").decode("ascii")


def configure(level: str | int, line_format: str) -> None:
    """Log to standard error in this form."""
    handler = logging.StreamHandler()
    handler.setFormatter(LineFormatter(line_format))
    logging.basicConfig(level=level, handlers=[handler])
