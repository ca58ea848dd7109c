"""The pure core: what to do, decided from what was observed. No network, file, clock or output."""
