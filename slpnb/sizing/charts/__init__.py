"""The charts of the sizing questions."""
