"""Decide, write, archive and publish the documents of images."""
