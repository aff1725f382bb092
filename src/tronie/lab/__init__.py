"""Floor 5: the researcher's room: recipe, loop, evaluation, run folder, export (torch)."""
