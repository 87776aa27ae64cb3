"""What users write: frozen values with the field names of the manifests, one file per API group."""
