"""A football league: the table with head-to-head, home and away tables, and a game of predictions around it."""
