"""Side effects only, thin: call the port, translate the error, return the result.

Decisions are made elsewhere.
"""
