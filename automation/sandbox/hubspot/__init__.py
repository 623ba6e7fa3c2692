"""The stand-in HubSpot: CRM objects, search, associations, properties, pipelines, the journal, and the older contacts paths."""
