"""Writes the tables of docs/rulesets.md: `python -m tests.rulesetdoc --write`. Types and defaults come from the structs."""
