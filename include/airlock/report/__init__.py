"""What is told about a transfer: how it ended, in one line and in full."""
