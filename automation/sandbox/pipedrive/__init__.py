"""The stand-in Pipedrive: records in API v2 and v1, fields, histories, users, currencies and webhooks."""
