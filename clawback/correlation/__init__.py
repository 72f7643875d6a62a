"""Sliding windows in event time: when the matches of one group satisfy a correlation.

Touch it to add or change a Sigma correlation type.
"""
