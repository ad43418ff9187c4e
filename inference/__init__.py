"""Networks to pictures and measurements."""
