"""Serves encoders converted to CTranslate2's format."""
