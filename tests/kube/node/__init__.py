"""A stand-in for a node and for the controllers that make Pods of Deployments.

Enough of both for what Serai deploys to run as it would: in a network namespace with an address of
its own, as the user and with the volumes, probes and limits that the Pod's spec names.
"""
