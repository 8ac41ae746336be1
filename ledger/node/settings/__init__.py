"""What the operator tells a peer, in files: its configuration, its keys, who may dial in."""
