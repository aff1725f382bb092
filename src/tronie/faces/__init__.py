"""Floor 2: find, follow and crop faces."""
