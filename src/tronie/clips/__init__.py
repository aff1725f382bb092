"""Floor 1: which frames are looked at, and how they are cut. Shared by both rooms."""
