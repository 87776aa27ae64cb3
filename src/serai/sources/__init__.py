"""Where objects come from: folders and files of YAML and JSON."""
