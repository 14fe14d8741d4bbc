"""The simulated organization: what exists in both products, what happens to it, and what is true of it."""
