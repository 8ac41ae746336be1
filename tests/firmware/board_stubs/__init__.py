"""Stand-ins for MicroPython's `machine` and `network`, so that `board/` runs on a PC."""
