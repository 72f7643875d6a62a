"""Benchmarks against peers, as whole processes on this machine.

They print figures and ratios and assert none: they are no tests.
"""
