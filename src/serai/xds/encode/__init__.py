"""From the intermediate representation to Envoy's resources: one encoder for each type."""
