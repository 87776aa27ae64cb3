"""What we say back: the status of every object, as values."""
