"""The tabletop family: trained, measured, shown."""
