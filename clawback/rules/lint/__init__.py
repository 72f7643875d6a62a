"""Checks rules: within a rule, between documents, and what rules that load can still get wrong.

Touch it to detect one more kind of mistake.
"""
