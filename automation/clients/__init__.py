"""The only files that import a CRM, telephony or chat SDK. Each raises Retryable or Permanent, nothing else."""
