"""Tools around a rule set: tests and their coverage, dry run, scaffold, JSON Schema.

Touch it when `clawback rules` gets a new command. Rendering is up to the CLI.
"""
