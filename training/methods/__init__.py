"""What is trained: a method's network, the fields it needs, and its losses."""
