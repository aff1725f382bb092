"""Floor 2: tensors (torch lives here)."""
