"""What must hold for any input: hypothesis looks for the one that breaks it."""
