"""Where energy came from: tokens of signed production, and certificates of what was traded."""
