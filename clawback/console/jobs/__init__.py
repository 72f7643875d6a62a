"""What takes longer than a page, in processes of its own: explaining a message, backtests."""
