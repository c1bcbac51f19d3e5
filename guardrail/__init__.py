"""Safety middleware around image-generation pipelines."""
