"""Door 3: `POST /collect/predictions`, with its own token and its own schema."""
