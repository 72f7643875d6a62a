"""What people are shown of cases: found by an id, and collected. For console and command line."""
