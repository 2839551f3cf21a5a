"""What several methods share: sequences, heads, prompts, vocabularies."""
