"""Floor 5, the practitioner's: frames in, rows out. Decode, detect, track, align, read, smooth."""
