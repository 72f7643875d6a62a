"""Everything that talks to the Temporal server: names, client, data converter, typed gateways.

Change this room when a call on a workflow is added; what a workflow does is in `workflows`.
"""
