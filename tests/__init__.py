"""A package, so that no other of this name in the environment takes its place (torch-fidelity brings one)."""
