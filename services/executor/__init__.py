"""The executor: runs containers with runc under conmon, and knows no plugins.

Owns      `<exec root>/c` (a folder per container), `<exec root>/runc` (runc's state root), the
          cgroups below `/wherry/<node>`, the shared mount of the data root, `<root>/output` (what
          deleted containers wrote last). It holds no truth of
          its own: what runs is what runc and conmon hold, and a restart takes it up again.
Consumes  StartContainer, StopContainer, SignalContainer, DeleteContainer, DiscardContainer,
          GetContainer, ListContainers, DeleteLog, ListProcesses, MeasureContainers, UnmountTree,
          ClearLeftovers, ReleaseNode; GetExec, ResizeExec, SignalExec; at its socket, FollowLog,
          CreateExec, StartExec.
Emits     ContainerExited (until the container is deleted), ContainerObserved, ExecutorStarted.
Never     decides whether a container should run, starts one again, deletes what nobody ordered
          it to delete, or stops a container because it stops itself.
"""
