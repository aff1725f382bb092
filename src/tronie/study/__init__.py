"""Floor 5: what people do with several results: agreement with human coders."""
