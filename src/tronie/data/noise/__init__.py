"""Planted noise, seeded and saved so that anyone can repeat it: wrong labels, and clips that have become hard."""
