"""A member's authorities, what they issue, and where keys and certificates lie."""
