"""The demonstration: everything Airlock needs, started on this machine's loopback with embedded defaults."""
