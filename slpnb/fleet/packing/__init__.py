"""Several services packed together, and the proven bound on how few instances that takes."""
