"""Servers reached over HTTP: chat, completions, classification and TEI."""
