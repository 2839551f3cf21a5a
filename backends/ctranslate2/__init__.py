"""CTranslate2: encoders converted to its format."""
