"""What happens to a pipeline after its first load. Each module has a `run(place, **given)` that returns figures, and
does its work once before it is timed: a worker is warm when the second file lands."""
