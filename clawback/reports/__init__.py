"""What clawback did in a period, as numbers with their formulas: for people, pages and programs."""
