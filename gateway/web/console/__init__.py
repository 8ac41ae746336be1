"""The community manager's console: nobody else gets in."""
