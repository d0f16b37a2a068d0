"""Keys, pseudonyms, and the store of who became whom."""
