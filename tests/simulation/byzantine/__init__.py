"""Validators that follow no rule but cannot forge: each signs only with its own key."""
