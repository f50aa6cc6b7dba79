"""What is written down about an exchange: its access record, and its record among the last errors."""
