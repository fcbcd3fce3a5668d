"""What is measured: one file a metric or a family of them."""
