"""What one proxy should do, as neutral frozen values; each says which object it came from."""
