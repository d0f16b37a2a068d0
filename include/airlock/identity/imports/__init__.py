"""Readers of the mapping stores of earlier systems. Each turns a file into `airlock.identity.mappings.Mappings`."""
