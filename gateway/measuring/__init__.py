"""Clients of the gateway that measure it; `gridledger bench gateway` runs them as processes."""
