"""What a run says of itself to those who watch it: a log of JSON lines, figures for Prometheus, a page."""
