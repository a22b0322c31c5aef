"""The landing zone: what lies there, how its files are read, how they enter the ledger."""
