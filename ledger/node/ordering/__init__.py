"""Transactions on their way into a block: admitted, spread to validators, proposed."""
