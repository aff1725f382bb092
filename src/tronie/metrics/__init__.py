"""Floor 1: arrays in, numbers out."""
