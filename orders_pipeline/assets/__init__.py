"""The six assets: plain functions on frames, with their dependencies as arguments."""
