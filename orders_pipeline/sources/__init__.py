"""Sources: how senders write, as an operator declares it. Values only; the ledger keeps the declarations."""
