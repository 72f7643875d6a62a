"""How everything outside the workers reaches Temporal.

Names, connection, payload conversion, and the typed gateway.
"""
