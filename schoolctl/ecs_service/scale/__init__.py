"""Task counts and auto scaling."""
