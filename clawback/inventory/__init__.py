"""What an installation has, for console and command line: rules with modes and last matches."""
