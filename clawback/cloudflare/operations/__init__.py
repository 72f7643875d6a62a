"""The operations on messages, bulk jobs, reports and submissions, with the records they return.

Touch it when the API changes an endpoint outside `settings/`.
"""
