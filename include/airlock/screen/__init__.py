"""Decides from the headers which instances go on."""
