"""Operators of the transfer chain."""
