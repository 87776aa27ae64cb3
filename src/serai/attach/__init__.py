"""Who applies to what: services to waypoints, routes to parents, references to their targets."""
