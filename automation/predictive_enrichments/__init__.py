"""One file per predictive enrichment: the only place that makes `predicted_` fields."""
