"""An esports season: cups of lobbies with placement and kill points, play-offs in series, and a circuit over all cups."""
