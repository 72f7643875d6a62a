"""Sequences that several workflows share. None is a workflow of its own."""
