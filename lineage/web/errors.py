"""Pages for requests that fail."""
