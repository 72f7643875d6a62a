"""Sliding windows in event time: when the matches of one group meet a correlation. Pure: no clock, no I/O.

Touch it to add or change a Sigma correlation type.
"""
