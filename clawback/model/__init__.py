"""Shared, frozen value types: events, messages, addresses, durations, audit records. Imports no other room.

Touch it when a value crosses rooms or lives in a Temporal history.
"""
