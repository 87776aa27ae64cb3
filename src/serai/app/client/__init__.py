"""A client of the mesh: `serai request`, and whoever else sends a request as one."""
