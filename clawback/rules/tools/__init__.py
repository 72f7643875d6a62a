"""What rule authors use: tests, coverage, dry run, scaffold, JSON Schema."""
