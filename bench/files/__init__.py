"""Fetches files once and checks them: cache, hub, packages and archives."""
