"""Consumers: the processes that read the log, fold it, write PostgreSQL and publish the rankings.

Correctness rests on the compare-and-set in `projections.store`; whatever happens here costs time at worst, never a fact.
"""
