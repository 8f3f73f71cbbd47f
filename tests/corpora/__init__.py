"""Folds what really happened and compares the boards with the published tables: `python -m tests.corpora`."""
