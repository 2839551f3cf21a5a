"""Tells of the machine: hardware, threads, memory and precision."""
