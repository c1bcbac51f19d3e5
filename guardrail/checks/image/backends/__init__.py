"""Face detectors and embedders, one file each, behind the protocols of `base`."""
