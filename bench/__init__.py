"""Measurements against other programs: `make bench`. See README.md beside this file."""
