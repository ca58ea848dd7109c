"""schoolctl.yaml: how it is read, checked, merged and resolved for one environment."""
