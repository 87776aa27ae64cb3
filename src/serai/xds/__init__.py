"""From the intermediate representation to Envoy's resources, and the conversation with Envoy."""
