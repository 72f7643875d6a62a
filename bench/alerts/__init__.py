"""`bench alerts`: provokes causes of alerts in running installations, and follows the runbooks.

command               the bench: Prometheus, all rooms at once, and the table
cause                 what provokes alerts and what ends them; a room of causes
installation          a running clawback whose simulator, settings and processes a cause may change
runbooks              the commands of the pages, and running them
receiver              what receives notifications and audit lines, as well or as badly as told
reading, deciding,    the rooms: causes by theme, each with an installation of its own
refusing, keeping, working

Touch a room to add a cause. A cause must be what the runbook of its alert describes.
"""

from bench.alerts.command import alerts

__all__ = ["alerts"]
