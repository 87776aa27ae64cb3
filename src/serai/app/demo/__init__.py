"""`serai demo`: an example played step by step, each compared with what it expects."""
