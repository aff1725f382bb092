"""Floor 2: readers: a folder on disk to a manifest, one file per data set. Pure functions, without PyTorch."""
