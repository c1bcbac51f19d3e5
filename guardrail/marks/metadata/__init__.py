"""Metadata of files: XMP, EXIF, the AIGC field and PNG text, read within limits and written."""
