"""Measurements: how long things take and what they cost, never asserted in a test."""
