"""Ways from landed CSV files to clean orders kept by day and both marts. Each module has a `run(place)`, and imports
what it needs before it is timed.

All leave out rows without an amount, keep of each order the version of the latest file, and add up exactly.
"""
