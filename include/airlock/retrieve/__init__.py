"""Brings a study in: from the raw folder, or from a PACS by C-MOVE or C-GET."""
