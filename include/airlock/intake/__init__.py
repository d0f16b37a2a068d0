"""Doors: requests made from lists, and for studies that arrive by themselves. All of them write request files."""
