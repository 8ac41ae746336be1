"""Decisions read from bytes, so that an input of bytes can steer a whole scene."""

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """Each question takes a byte or two; after the end every answer is the first."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        self._at = 0

    @property
    def is_over(self) -> bool:
        """Whether all bytes are used up."""
        return self._at >= len(self._raw)

    def below(self, limit: int) -> int:
        """A number from 0 to `limit` - 1; `limit` is at most 256."""
        if self.is_over:
            return 0
        self._at += 1
        return self._raw[self._at - 1] % limit

    def one_of(self, options: Sequence[T]) -> T:
        """One of at most 256 options."""
        return options[self.below(len(options))]

    def chance(self, one_in: int) -> bool:
        """Once in so many; never after the end."""
        return self.below(one_in) == one_in - 1
