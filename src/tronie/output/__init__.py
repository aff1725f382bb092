"""Floor 1: results made visible."""
