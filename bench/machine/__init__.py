"""The machine: hardware, threads, memory and precision."""
