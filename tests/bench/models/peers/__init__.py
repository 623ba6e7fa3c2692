"""One file per peer, each a `predict(job)`; registry.py beside this folder lists them. Run in the peer's environment."""
