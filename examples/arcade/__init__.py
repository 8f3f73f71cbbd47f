"""An arcade: high scores and totals of all time, by week and by day, with players made up from a seed."""
