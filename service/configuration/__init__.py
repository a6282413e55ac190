"""`junmai.toml` and its variables: the form, its reading, and what is said of mistakes."""
