"""Sends de-identified instances to the research PACS, and proves that it stored them."""
