"""Gets base models by name: from the hub, packages, folders and published architectures."""
