"""What every process of a node needs: its settings, its lock, its life from start to SIGTERM."""
