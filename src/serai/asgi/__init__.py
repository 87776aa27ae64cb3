"""HTTP served inside our own event loop, for every edge that answers requests."""
