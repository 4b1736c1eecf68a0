"""What other products send or ask for in forms of their own."""
