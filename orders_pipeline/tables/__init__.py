"""Scans of whole tables or days of them, in batches that fit in memory, and their totals."""
