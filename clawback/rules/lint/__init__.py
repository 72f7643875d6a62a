"""Checks of rules that load: contradictions, conflicts, unreachable parts, references.

Touch it to find one more kind of mistake.
"""
