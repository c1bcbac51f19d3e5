"""Checks that need the texts and the images of a request together."""
