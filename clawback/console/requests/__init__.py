"""What a URL or a form says: filters, selections, names of cases.

Bad input is an error that names the place and the remedy.
"""
