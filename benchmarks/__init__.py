"""What measures the promises of DESIGN section 10."""
