"""Models: base models by name, architectures, conversions."""
