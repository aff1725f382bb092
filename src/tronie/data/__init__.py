"""Floor 2: labelled clips, augmented and batched."""
