"""From condition trees to a compiled rule set that evaluates events.

Touch it to change how rules are evaluated; `bench rules` shows what a change costs.
"""
