"""The client: what it sends, what it reads, what it makes of failures, and how it paces itself."""
