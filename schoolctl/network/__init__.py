"""The network that the service needs: what there is, where it differs, how to get there. Pure.

`check_network` compares what `schoolctl.network.observe` saw with the documented chain,
internet -> load balancer 80/443 -> service 3000 -> database 3306, and the ways out that tasks
need; `plan_network` makes the plan that repairs it.
"""
