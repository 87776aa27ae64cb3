"""What Serai says of itself: logs and metrics."""
