"""A sealed block becomes durable, and the rest of the node hears of it."""
