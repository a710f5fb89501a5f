"""What the embedded account holds before the runbook begins."""
