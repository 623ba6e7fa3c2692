"""The web pages: server-rendered over the same service functions as the API."""
