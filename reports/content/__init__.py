"""Content: rows, standing, speed and published figures, before any layout."""
