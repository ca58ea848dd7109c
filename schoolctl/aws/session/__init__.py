"""Profiles, sign-in and clients: how a command reaches AWS."""
