"""Token accounts."""
