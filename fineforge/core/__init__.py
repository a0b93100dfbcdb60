"""Values that every part passes to every other part. Nothing here reads a file, a clock or a network."""
