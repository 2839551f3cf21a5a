"""Advises which result to deploy for stated demands."""
