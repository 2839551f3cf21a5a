"""The self-test: plants faults and looks whether the harness finds them."""
