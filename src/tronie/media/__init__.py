"""Floor 1: pixels in and out. Pictures, films, and what a user named as a source."""
