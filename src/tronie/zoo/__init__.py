"""Floor 4: models on disk."""
