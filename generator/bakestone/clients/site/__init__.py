"""What differs from site to site: the site file, its credentials and proxies."""
