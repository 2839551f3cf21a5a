"""Asks servers over HTTP: chat, completions, classification and TEI."""
