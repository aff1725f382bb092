"""Floor 5: prepared faces and clips, augmented and batched; label noise. What loads batches needs torch."""
