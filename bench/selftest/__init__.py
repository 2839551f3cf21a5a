"""Plants faults and looks whether the harness finds them."""
