"""What users write: YAML, the spec, its layers and variables, the project, its pins and its policies."""
