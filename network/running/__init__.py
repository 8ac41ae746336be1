"""A network on this machine: its processes, what they use, their newest blocks, their clients."""
