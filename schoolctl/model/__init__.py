"""The nouns of the product: image references, revisions, deployments, tasks, parameters.

Frozen, without behaviour that needs a network; AWS's own dictionaries are turned into these in
`schoolctl/aws/` and go no further.
"""
