"""The edge: HTTP in, HTTP out. No SQL, no model code, no rule about deals."""
