"""Parts of the demo that need no network."""
