"""Whole tables and days of them: what an asset reads, in parts that memory can hold, and what they add up to."""
