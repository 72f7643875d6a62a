"""Ships the audit to a collector: syslog over TLS (RFC 5424, 5425) or HTTP.

The audit file is the spool, and a small file beside it says how far the collector has it. Touch it
to add a kind of collector.

CollectorUnavailable    a batch was not delivered, or nobody knows; it is sent again
"""

from clawback.shipping.collector import Collector, CollectorUnavailable
from clawback.shipping.cursor import read_cursor, write_cursor
from clawback.shipping.http_collector import HttpCollector
from clawback.shipping.syslog_collector import SyslogCollector, format_syslog

__all__ = [
    "Collector",
    "CollectorUnavailable",
    "HttpCollector",
    "SyslogCollector",
    "format_syslog",
    "read_cursor",
    "write_cursor",
]
