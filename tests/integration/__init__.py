"""Tests against real Redis and PostgreSQL servers."""
