"""Compiles conditions and evaluates events against them.

Touch it to change how rules are evaluated; `python -m bench rules` shows what a change costs.
"""
