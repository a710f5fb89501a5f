"""What every part of the embedded AWS stands on."""
