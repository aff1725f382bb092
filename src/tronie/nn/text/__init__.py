"""Class words as vectors: what methods match faces with."""

from tronie.nn.text.table import text_table

__all__ = ["text_table"]
