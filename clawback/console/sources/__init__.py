"""What pages read: caches and readers over Temporal, Cloudflare, the audit and the rules.

Nothing here decides. You touch it when a page needs to know something that no other page knows.
"""
