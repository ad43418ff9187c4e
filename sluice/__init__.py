"""Multi-condition diffusion, from raw images to composed pictures."""
