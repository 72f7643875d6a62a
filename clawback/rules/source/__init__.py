"""Reads YAML files into checked rule documents, with file, line and column in every error.

The only code that reads YAML. Touch it when the rule language changes.
"""
