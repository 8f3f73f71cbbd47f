"""The standings page in a real browser, on the real services."""
