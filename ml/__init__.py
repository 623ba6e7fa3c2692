"""The brain: features, models, learners, training and serving. No web framework, no CRM, no n8n."""
