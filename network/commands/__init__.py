"""The subcommands of `gridledger`: arguments in, text out; the work is done elsewhere."""
