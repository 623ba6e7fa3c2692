"""One file per enrichment: what an event does not carry is looked up, and noted where it cannot be."""
