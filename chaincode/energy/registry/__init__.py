"""Who takes part and with what: participants, energy sources, meters, their approval."""
