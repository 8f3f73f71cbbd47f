"""Projections: everything that is kept in PostgreSQL and Redis, and the only layer that talks to both.

Scores are decided in `engine`; here they are stored, read back, published to the rankings and rebuilt.
"""
