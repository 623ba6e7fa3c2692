"""A file that was taken out of a CRM, as the past of its records: what its columns mean, its rows, and how they are stored."""
