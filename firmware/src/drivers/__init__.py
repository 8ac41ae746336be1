"""Parts on the board: each takes its pins as arguments, so tests hand in fakes."""
