"""Envoy run for the user: found, given a bootstrap, started, watched, adopted, drained, stopped."""
