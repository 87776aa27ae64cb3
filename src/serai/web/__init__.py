"""The admin API, the console and the metrics of a running instance, on loopback."""
