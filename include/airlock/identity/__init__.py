"""Who becomes whom: keys and the new UIDs, dates and ids made with them; and finding what was known of the original."""
