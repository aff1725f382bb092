"""Floor 2: models on disk and the sessions that run them. Arrays in, arrays out."""
