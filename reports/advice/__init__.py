"""Advises which row to deploy for stated demands."""
