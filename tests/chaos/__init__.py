"""Chaos: real processes that are killed at random while events keep coming, and an account of every single one of them."""
