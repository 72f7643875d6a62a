"""The counters of workers and servers, from their metrics."""

from clawback.rehearsal.counters import sum_actions, sum_counters

PAGE = """# HELP action action metric
# TYPE action counter
action{action_type="command_ScheduleActivityTask",namespace="default"} 7
action{action_type="grpc_Signal",namespace="default"} 2
action{action_type="grpc_Signal",namespace="temporal-system"} 40
action_of_another_kind{namespace="default"} 99
# TYPE clawback_audit_records_total counter
clawback_audit_records_total{kind="acted"} 3.0
clawback_audit_records_total{kind="held"} 4.0
clawback_audit_records_created{kind="held"} 1.7e9
# TYPE clawback_rules_loaded gauge
clawback_rules_loaded 32.0
process_cpu_seconds_total 5.0
"""


def test_the_actions_of_our_namespace_are_summed() -> None:
    """Neither other namespaces nor other metrics count."""
    assert sum_actions(PAGE) == 9


def test_the_counters_of_a_worker_are_summed_over_labels() -> None:
    """Neither gauges nor times of creation nor the metrics of others count."""
    assert sum_counters(PAGE) == {"clawback_audit_records_total": 7.0}
