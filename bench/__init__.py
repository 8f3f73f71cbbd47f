"""The benchmark: `python -m bench`. What it measures, and how, is written down in docs/benchmarks.md."""
