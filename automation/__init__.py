"""The flow: everything between the doors. n8n moves, Python decides, and the database remembers."""
