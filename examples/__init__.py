"""Worked examples: each folder holds the rules of one system and what turns its data into events."""
