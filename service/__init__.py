"""The registration service: a form and an API in front of one MySQL table."""
