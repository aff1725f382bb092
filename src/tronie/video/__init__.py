"""Floor 1: pixels and sound in and out: decode with true times, write, sources, camera."""
