"""What people and programs see of the pipeline, as rows of plain values."""
