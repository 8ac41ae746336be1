"""Run by MicroPython in the flash of a node; not imported here."""
