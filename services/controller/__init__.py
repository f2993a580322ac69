"""The controller: what is wished across the nodes of a fleet, and how far it is.

Owns: controller.db (nodes, batches of upgrades), of which the controllers that stand by keep
    copies; the fleet's lease, which says whose controller is active.
Consumes: controller.*; the changes of the active controller, while it stands by.
Emits: controller.row.changed, once per revision, in order; jobs, at the stores of all nodes.
Never: speaks to a registry, runs a container, acts while another controller is active.
"""
