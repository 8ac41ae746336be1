"""The meters' firmware, on CPython and on the real MicroPython with a board's heap."""
