"""One file per change of tables; `<area>_<number>_<what>.py`."""
