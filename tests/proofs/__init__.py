"""What tests/test_proofs.py needs: a service of real containers, visitors who ask it, and a browser."""
