"""Commands of the researcher's room."""

from __future__ import annotations
