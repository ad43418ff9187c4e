"""Methods as pipelines of diffusers, for those who have pipelines and no job."""
