"""What the pipeline costs, beside what one would use instead: `make bench`."""
