"""One file per sender: bytes -> canonical events. Authentication is the edge's business, in api/sources/."""
