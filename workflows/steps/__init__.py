"""Sequences that several workflows share; `containment` maps each action to its step."""
