"""A list whose memory is taken once, at the start.

MicroPython's heap is never compacted: after weeks there may be plenty free and still no room for
a list or dict that has to grow. What lives long and varies in length therefore lives in here.
"""


class FixedList:
    """At most `capacity` items in the order they came."""

    def __init__(self, capacity):
        self._items = [None] * capacity
        self._count = 0

    def __len__(self):
        return self._count

    def __iter__(self):
        return (self._items[position] for position in range(self._count))

    def __getitem__(self, position):
        if not 0 <= position < self._count:
            raise IndexError(position)
        return self._items[position]

    def last(self):
        """The newest item, or None."""
        return self._items[self._count - 1] if self._count else None

    def append(self, item):
        """Add one; raises `IndexError` when full."""
        self._items[self._count] = item
        self._count += 1

    def replace(self, position, item):
        """Put another item in an item's place."""
        self._items[position] = item

    def pop(self, position=0):
        """Take one away; the later ones move up."""
        item = self._items[position]
        self._count -= 1
        for at in range(position, self._count):
            self._items[at] = self._items[at + 1]
        self._items[self._count] = None
        return item
