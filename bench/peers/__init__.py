"""Others in the same run: the shape that they give Envoy, and what they cost."""
