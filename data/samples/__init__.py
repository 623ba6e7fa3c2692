"""A synthetic CRM: seeded, with the true probability of every lead known. No row of it is about a real person."""
