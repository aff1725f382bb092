"""Floor 3: one file per paper (torch)."""
