"""Formula 1: a season's results as events, and its rules as a ruleset."""
