"""Floor 7: which labels are wrong, which are merely hard. Arrays in, table out; features; page."""
