"""Whether a version still fits the world: drift of what it sees, how its scores came true, and when to train again."""
