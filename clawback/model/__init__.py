"""Shared, frozen value types: events, messages, addresses, durations, audit records.

Change it when a value crosses rooms or lives in a Temporal history. It imports no other room.
"""
