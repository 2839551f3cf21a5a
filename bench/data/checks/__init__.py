"""Looks at texts and labels before anything is trained: duplicates, contradictions, likely label errors."""
