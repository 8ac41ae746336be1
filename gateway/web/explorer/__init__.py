"""The explorer: blocks, transactions, events, orders, contracts, members, and search."""
