"""Rotation of database passwords."""
