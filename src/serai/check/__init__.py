"""Analysers: what a person should know about their objects, one family of problems a file."""
