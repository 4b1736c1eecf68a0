"""Django's PostgreSQL backend, whose pool hands out no connection that the server has ended."""
