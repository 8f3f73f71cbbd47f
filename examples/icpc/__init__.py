"""Programming contests: problems solved, penalty minutes, then the last accepted run."""
