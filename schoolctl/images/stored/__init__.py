"""List, show and prune the images in ECR."""
