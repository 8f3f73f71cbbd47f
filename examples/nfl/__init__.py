"""American football: seasons of games as events, and standings by percentage of wins."""
