"""All SQL: one file per table, its class and its queries."""
