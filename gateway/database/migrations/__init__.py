"""Alembic's folder: `env.py` runs what lies in `versions`, one branch per area."""
