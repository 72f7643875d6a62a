"""The HTTP API of the console, under `/api/v1`. You touch it to add an operation.

`operations` lists every operation once. Routes, parsing, roles, limits and the OpenAPI document all
come from that list, so they cannot disagree.
"""
