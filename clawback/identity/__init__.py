"""Who runs a command or takes a decision. You touch it to add a source of identity."""
