"""Build, push, pull and promote images; log in; create the repository."""
