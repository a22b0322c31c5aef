"""The ledger in Postgres: it alone decides what is current and what is stale.

`models` defines its tables. `files` changes the state of landed versions, `reports` summarizes them, `active` reads the
versions that count, `days` finds which days are built and which are stale, `locks` shows which processes are running.
"""
