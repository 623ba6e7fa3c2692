"""The loop under fire: bad habits switched on, processes and database killed, and what must be true computed apart from them."""
