"""Touchdown picks: who scores first, who scores at all, week by week and over a season."""
