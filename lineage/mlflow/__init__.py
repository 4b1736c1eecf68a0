"""MLflow servers as they are followed: how to talk to them, and what their answers mean."""
