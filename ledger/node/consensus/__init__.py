"""The consensus thread: the shell that performs the effects of `ledger.consensus`."""
