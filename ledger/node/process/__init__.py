"""The process and its machine: clocks, free disk space, faults that end it, native log lines."""
