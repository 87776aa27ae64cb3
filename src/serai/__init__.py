"""Serai: a Gateway API control plane in which a ServiceEntry is as good as a Service."""

__version__ = "0.1.0"
