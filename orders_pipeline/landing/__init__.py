"""From the landing zone and the source table into the lake and the ledger."""
