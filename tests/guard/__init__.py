"""The guard as a pure ledger."""
