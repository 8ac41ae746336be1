"""From a plan to a network on disk: authorities, certificates, genesis block, peer settings."""
