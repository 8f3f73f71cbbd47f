"""Simulation: seeded workloads through the real consumer under faults, judged by a second model of what must come out."""
