"""One view of services and workloads, whatever they came from.

Only the from_* modules know a Service from a ServiceEntry or a Pod from a WorkloadEntry.
"""
