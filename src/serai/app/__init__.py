"""Composition: the pure core and the edges, put together."""
