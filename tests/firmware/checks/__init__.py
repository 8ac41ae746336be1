"""Checks in the common subset of CPython and MicroPython; `test_on_both.py` runs them on each.

A check is a function whose name begins with `check_`; one with an argument gets the path of a
folder of its own. `ROWS` names the requirement a check shows.
"""
