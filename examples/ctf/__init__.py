"""A capture-the-flag event: the sum of the solves, and who had it first."""
