"""What Envoys get, and the conversation about it: state machines without I/O."""
