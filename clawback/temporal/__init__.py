"""How everything outside the workers reaches Temporal: names, connection, payload conversion, and the typed gateway."""
