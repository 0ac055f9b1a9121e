"""The scenario file: schema, reading, errors with file and line."""
