"""Sharing keys: how metered energy is shared out after delivery, beside the auction."""
