"""Floor 6: recipe, loop, evaluation, run folder, export (torch)."""
