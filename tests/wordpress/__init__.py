"""WordPress containers, a real MariaDB beside them, and one network: for tests/test_wordpress_image.py."""
