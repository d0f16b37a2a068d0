"""Verification: every output is read again, by other code than wrote it, before anything leaves."""
