"""The ledger in Postgres: the only word on what is current and what is stale.

`tables` says what it remembers, `files` what became of each landed version, `active` which of them count, `days` what
is built and what is stale, `locks` who is at work.
"""
