"""Makes the HTML page of a run."""
