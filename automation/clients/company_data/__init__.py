"""One file per provider of company data; they are asked about a domain, and about nothing else."""
