"""Background tasks of a worker process: what runs beside workflows and activities.

Change this room to watch or report something per process; what must be durable is a workflow.
"""
