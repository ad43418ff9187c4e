"""Metrics, one a file: pictures, predictions or embeddings to a number."""
