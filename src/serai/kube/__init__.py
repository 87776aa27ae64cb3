"""Kubernetes: its API server watched, and what Serai writes there."""
