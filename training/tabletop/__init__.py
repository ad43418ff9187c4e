"""The tabletop family, trained from nothing, part by part."""
