"""What is kept between runs, and what becomes of the old numbers."""
