"""Listings, orders, the price rule and its result."""
