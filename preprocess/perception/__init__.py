"""The networks and classical operators that see: plain functions from RGB arrays to arrays."""
