"""Envoy's messages, in a descriptor pool of our own so that no other package is disturbed."""
