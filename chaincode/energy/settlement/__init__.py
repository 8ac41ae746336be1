"""What a cleared listing comes to once the meters are read."""
