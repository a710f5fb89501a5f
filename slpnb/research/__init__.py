"""The attempts of the research notebook, replayed."""
